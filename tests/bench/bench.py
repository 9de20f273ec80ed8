"""Prints the project's figures as a table: `bench.py RUNNER`, after `make setup build`.

Each figure stands beside its alternative's, measured in the same run, in turn; times are medians.
Absolute times are the machine's; the ratios are what to look at.
"""

import os
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path

from parts import ROOT, ControlPlane, bare_runtime, npm, package, resident

RUNS = 15
SLEEPER = "import time\ndef handler(event, context):\n    print('running', flush=True)\n    time.sleep(60)\n"
# Handlers tell the time of their first line themselves, in nanoseconds since the epoch.
PYTHON = "import time\ndef handler(event, context):\n    print('first', time.time_ns(), flush=True)\n"
NODE = (
    "exports.handler = async () => { const now = performance.timeOrigin + performance.now();"
    " console.log('first', BigInt(Math.round(now * 1000)) * 1000n); };\n"
)


def timed(command, environment, wait=True):
    """Milliseconds from the start of a command to the handler's first line, as the handler tells it."""
    started = time.time_ns()
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    process = subprocess.Popen(command, env=environment, start_new_session=True, **pipes)
    for line in process.stdout:
        if "first" in line:
            break
    else:
        raise SystemExit(f"bench: {command} never got to the handler's first line")
    if not wait:
        os.killpg(process.pid, signal.SIGKILL)
    process.stdout.read()
    process.wait()
    return (int(line.split()[-1].rstrip("n")) - started) / 1e6


def in_turn(*measures):
    """Medians of several measures taken one after the other, again and again."""
    rows = [[measure() for measure in measures] for _ in range(RUNS + 1)][1:]
    return [statistics.median(column) for column in zip(*rows)]


def invoke(runner, code, runtime, handler):
    arguments = ["invoke", "--code", code, "--runtime", runtime, "--handler", handler]
    return [runner, *arguments, "--runtime-dir", ROOT / ".runtimes"]


def row(name, ours, unit, beside="", theirs=None):
    other = f"{beside}: {theirs:.2f} {unit}" if theirs is not None else ""
    ratio = f"{ours / theirs:.2f}x" if theirs else ""
    print(f"| {name} | {ours:.2f} {unit} | {other} | {ratio} |")


def size(runner):
    row("static binary", Path(runner).stat().st_size / 1e6, "MB")


def memory(runner):
    """Resident memory of the supervisor while the handler runs, beside tini's around a sleep."""
    code = package("sleeper", "app.py", SLEEPER)
    ours = resident(invoke(runner, code, "python3.11", "app.handler"), "running")
    theirs = resident(["tini", "-s", "--", "sh", "-c", "echo running; sleep 60"], "running")
    row("memory of PID 1, handler running (all)", ours["VmRSS"], "MB", "tini", theirs["VmRSS"])
    row("… of which not shared with the binary's file", ours["RssAnon"], "MB", "tini", theirs["RssAnon"])


def start(runner, language, code, handler, runtime):
    """The runner's own share of the time to the handler's first line."""
    with bare_runtime(language, code, handler) as bare:
        ours, theirs = in_turn(
            lambda: timed(invoke(runner, code, runtime, handler), {}), lambda: timed(*bare, wait=False)
        )
    row(f"{language}: start to first line", ours, "ms", "bare runtime, trivial server", theirs)
    row(f"{language}: the runner's own share", ours - theirs, "ms")


def ancestor(runner, code):
    """GetFunction to first line, beside the ancestor's way: Node, `unzipper`, require."""
    modules = npm("unzipper@0.12.3")
    with ControlPlane(code, "nodejs20.x", "index.handler") as plane:
        deployed = [runner, "invoke", "bench", "--runtime-dir", ROOT / ".runtimes"]
        script = ["node", ROOT / "tests/bench/ancestor.cjs", plane.url, "index"]
        ours, theirs = in_turn(
            lambda: timed(deployed, plane.environment), lambda: timed(script, {"NODE_PATH": modules, "PATH": "/usr/bin:/usr/local/bin"})
        )
    row("nodejs: GetFunction to first line", ours, "ms", "Node and unzipper", theirs)


def main(runner):
    print("| figure | ours | alternative | ratio |\n|---|---|---|---|")
    size(runner)
    memory(runner)
    start(runner, "python", package("python", "app.py", PYTHON), "app.handler", "python3.11")
    node = package("nodejs", "index.js", NODE)
    start(runner, "nodejs", node, "index.handler", "nodejs20.x")
    ancestor(runner, node)


if __name__ == "__main__":
    main(*sys.argv[1:])
