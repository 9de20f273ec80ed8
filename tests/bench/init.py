"""Owns the figures of PID 1: what inits do, beside tini, dumb-init and catatonit, each as PID 1 of a namespace of its own."""

import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import table
from measure import wait_until_quiet

HERE = Path(__file__).parent
INITS = {"tini": ["tini", "--"], "dumb-init": ["dumb-init"], "catatonit": ["catatonit", "--"]}
ROUNDS = 5
STOPS = 20
STARTS = 10


def commands(runner):
    """How each init runs a command. Ours runs it as a language runtime that never asks for an event."""
    ours = [str(Path(runner).absolute()), "serve", "--port", "0", "--init-timeout", "1h", "--"]
    return {"ours": ours} | {name: words for name, words in INITS.items() if shutil.which(words[0])}


class Space:
    """A namespace whose PID 1 is an init that runs the probe."""

    def __init__(self, init, *probe):
        self.directory = tempfile.TemporaryDirectory()
        self.output = Path(self.directory.name) / "output"
        command = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child", *init]
        command += [sys.executable, HERE / "orphans.py", *map(str, probe), self.output]
        quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self.process = subprocess.Popen(command, env={"PATH": os.environ["PATH"], "IMMORTAL_STOP_TIMEOUT": "10s"}, **quiet)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.directory.cleanup()

    def until(self, path):
        end = time.monotonic() + 60
        while not path.exists():
            if time.monotonic() > end:
                raise RuntimeError(f"expected {path.name} within 60 s")
            time.sleep(0.001)

    def numbers(self):
        self.until(self.output)
        return [float(number) for number in self.output.read_text().split()]

    def init(self):
        """PID 1, by its number outside."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return int(children[0])


def asked(init, *probe):
    with Space(init, *probe) as space:
        return space.numbers()


def told(init):
    """Milliseconds between SIGTERM to PID 1 and the moment in which its child has it."""
    with Space(init, "wait", 0) as space:
        space.until(Path(f"{space.output}.ready"))
        started = time.monotonic()
        os.kill(space.init(), signal.SIGTERM)
        space.until(space.output)
        return (space.numbers()[0] - started) * 1e3


def lost(init, delay):
    """Whether a SIGTERM so soon after the start of PID 1 is lost."""
    command = ["unshare", "--pid", "--fork", "--kill-child", *init, "sleep", "5"]
    quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(command, env={"PATH": os.environ["PATH"], "IMMORTAL_STOP_TIMEOUT": "1s"}, **quiet)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    found = []
    while not found and process.poll() is None:
        found = children.read_text().split()
    time.sleep(delay)
    os.kill(int(found[0]), signal.SIGTERM)
    try:
        process.wait(0.5)
        return False
    except subprocess.TimeoutExpired:
        return True
    finally:
        process.kill()
        process.wait()


def left_behind(init, count):
    """How many of those that were left behind have ended by themselves."""
    with Space(init, "leave", count) as space:
        time.sleep(0.3)
        if init[1:2] == ["serve"]:
            os.kill(space.init(), signal.SIGTERM)
        space.process.wait(30)
        return space.output.read_text().count("ended") if space.output.exists() else 0


def idle(init):
    """Resident memory in MB, and how often PID 1 woke up in three seconds in which nothing happened."""
    with Space(init, "wait", 0) as space:
        space.until(Path(f"{space.output}.ready"))
        time.sleep(1)
        status = Path(f"/proc/{space.init()}/status")

        def switches():
            text = status.read_text()
            return sum(int(line.split(":")[1]) for line in text.splitlines() if "ctxt_switches" in line)

        before = switches()
        time.sleep(3)
        return int(status.read_text().split("VmRSS:")[1].split()[0]) / 1024, switches() - before


def watching(runner):
    """Percent of a core that the runner uses while its function is at work and does nothing: its memory is looked at."""
    script = "#!/bin/sh\ncurl -s http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation/next >/dev/null\nexec sleep 60\n"
    with tempfile.TemporaryDirectory() as directory:
        bootstrap = Path(directory) / "bootstrap"
        bootstrap.write_text(script)
        bootstrap.chmod(0o755)
        command = [runner, "invoke", "--code", directory, "--runtime", "provided.al2023", "--handler", "h", "--event", "1"]
        quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        process = subprocess.Popen(command, env={"PATH": os.environ["PATH"]}, **quiet)
        try:
            time.sleep(2)
            tasks = [Path(f"/proc/{process.pid}/task/{task}/schedstat") for task in os.listdir(f"/proc/{process.pid}/task")]

            def used():
                return sum(int(task.read_text().split()[0]) for task in tasks if task.exists())

            before, started = used(), time.monotonic_ns()
            time.sleep(5)
            return (used() - before) * 100 / (time.monotonic_ns() - started)
        finally:
            process.kill()
            process.wait()


def in_turn(inits, measure, rounds=ROUNDS):
    found = {name: [] for name in inits}
    wait_until_quiet()
    for _ in range(rounds):
        for name, init in inits.items():
            found[name].append(measure(init))
    return {name: statistics.median(values) for name, values in found.items()}


def figures(runner):
    inits = commands(runner)
    orphans = in_turn(inits, lambda init: asked(init, "orphans", 1000)[0])
    table.row("init: 1,000 orphans that end at once", orphans["ours"], "ms", "tini", orphans["tini"], 1.25)
    for name, init in inits.items():
        most, left = asked(init, "storm", 10_000)
        table.bound(f"init: {name}, 10,000 double forks, most zombies at once {most:.0f}; left", left, "", 0)
    stops = in_turn(inits, told, STOPS)
    table.row("init: SIGTERM until the child has it", stops["ours"], "ms", "tini", stops["tini"], 2.0)
    for delay in (0.002, 0.005, 0.008):
        counts = {name: sum(lost(init, delay) for _ in range(STARTS)) for name, init in inits.items()}
        table.bound(f"init: SIGTERM {delay * 1e3:.0f} ms after the start, lost of {STARTS} (tini: {counts['tini']})", counts["ours"], "", counts["tini"])
    for name, init in inits.items():
        ended = left_behind(init, 10)
        if name == "ours":
            table.bound("init: left behind by 10, not ended by themselves", 10 - ended, "", 0)
        else:
            table.row(f"init: {name}, left behind by 10, not ended by themselves", 10 - ended, "")
    memory, wakes = idle(inits["ours"])
    table.bound("init: memory when idle", memory, "MB", 12)
    table.bound("init: wake-ups in 3 s when idle", wakes, "", 1)
    table.bound("init: share of a core while a function does nothing", watching(runner), "%", 0.2)


if __name__ == "__main__":
    figures(sys.argv[1])
