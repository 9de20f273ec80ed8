"""Owns the figures of the whole path: from GetFunction over the files in place to the handler's first line."""

import subprocess

import server
import table
from measure import SHM, first_line, in_turn, run
from packages import HANDLER, HERE, ROOT, npm, one_file, package
from plane import control_plane

SMALL, LARGE = "a function of one file", "a function of 3,000 files, 38 MB"
# (name, script, npm package that it needs, goals by function)
PEERS = [
    ("cumulus-ecs-task's way", "cumulus.cjs", "aws-sdk@2.1693.0", {LARGE: 0.35}),
    ("the ancestor's way", "ancestor.cjs", "unzipper@0.12.3", {}),
]


def fresh(command, environment):
    """Time to the first line, with a temporary directory on tmpfs that is fresh each time."""
    temporary = SHM / "tmp"

    def measure():
        temporary.mkdir()
        try:
            return first_line(command, {**environment, "TMPDIR": str(temporary)})
        finally:
            subprocess.run(["rm", "-rf", temporary], check=True)

    return measure


def measured(runner, zip, url):
    with control_plane(zip, url, "nodejs20.x", "index.handler") as environment:
        ours = [runner, "invoke", "bench", "--runtime-dir", ROOT / ".runtimes"]
        measures = {"ours": fresh(ours, environment), "node": lambda: run(["node", "-e", "0"]).wall}
        for name, script, requirement, _ in PEERS:
            theirs = {**environment, "NODE_PATH": npm(requirement), "PATH": "/usr/local/bin:/usr/bin:/bin"}
            measures[name] = fresh(["node", HERE / script], theirs)
        return in_turn(measures)


def rows(what, results):
    title = f"GetFunction to first line, {what}"
    for name, _, _, goals in PEERS:
        table.row(title, results["ours"], "ms", name, results[name], at_most=goals.get(what))
    table.row(title, results["ours"], "ms", "node -e 0", results["node"])


def figures(runner):
    small = one_file("nodejs", "index.js", HANDLER)
    for what, zip in ((SMALL, small), (LARGE, package("function"))):
        with server.serving(zip.parent) as base:
            rows(what, measured(runner, zip, f"{base}/{zip.name}"))
