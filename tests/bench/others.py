"""Owns the figures beside other programs that fetch and unpack a zip, without a limit on the wire."""

import packages
import server
from measure import SLOW_ROUNDS, in_turn, unpacking
from table import faster
from unpack import WHAT

# Goals are for many files.
GOALS = {"curl | bsdtar": 4.5, "ripunzip": 8, "Node unzipper": 40}


def shell(script):
    return ["bash", "-c", f"set -o pipefail; {script}"]


def commands(url):
    script = ["env", f"NODE_PATH={packages.npm('unzipper@0.12.3')}", "node", packages.HERE / "unzipper.cjs"]
    return {
        "curl | bsdtar": shell(f"curl -sSf {url} | bsdtar -xf - -C DIR/"),
        "ripunzip": [packages.CACHE / "ripunzip/bin/ripunzip", "-q", "unzip-uri", "-d", "DIR", url],
        "curl ; unzip": shell(f"curl -sSf -o DIR/.zip {url}; unzip -q DIR/.zip -d DIR/; rm DIR/.zip"),
        "Node unzipper": [*script, url, "DIR"],
    }


def figures(runner):
    with server.serving(packages.package("node").parent) as base:
        for name, what in WHAT.items():
            packages.package(name)
            url = f"{base}/{name}.zip"
            expected = packages.contents(packages.package(name))
            every = {**commands(url), "ours": [runner, "unpack", url, "DIR"]}
            measures = {program: unpacking(command, expected) for program, command in every.items()}
            results = in_turn(measures, slow=["Node unzipper"])
            for other in commands(url):
                rows(what, name, other, results)


def rows(what, name, other, results):
    ours, theirs = results["ours"], results[other]
    note = f" ({SLOW_ROUNDS} runs)" if other == "Node unzipper" else ""
    goal = GOALS.get(other) if name == "node" else None
    faster(f"{what}, unpaced", wall(ours), "ms", other + note, wall(theirs), goal)


def wall(result):
    return getattr(result, "wall", result)
