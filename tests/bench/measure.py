"""Owns how a command is measured: in turn with the others, into a fresh directory on tmpfs, medians."""

import atexit
import os
import shutil
import signal
import stat
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

ROUNDS = 7
SLOW_ROUNDS = 3
# How often to look whether the machine is quiet: two seconds in all.
PATIENCE = 20
runs = {"all": 0, "disturbed": 0}
SHM = Path(tempfile.mkdtemp(prefix="immortal-bench-", dir="/dev/shm"))
atexit.register(shutil.rmtree, SHM, ignore_errors=True)


class Failed(Exception):
    """A command that did not do what it should; says why."""


class Result(NamedTuple):
    """Milliseconds, and the largest resident memory of any one process in MB."""

    wall: float
    peak: float = 0.0


def in_turn(measures, rounds=ROUNDS, slow=()):
    """Results by name of several measures taken one after the other, again and again; the first round is not counted.

    A measure that fails in the first round stands as its reason and is left out of the others.
    """
    results, failed = {}, {}
    for name, measure in measures.items():
        try:
            measure()
            results[name] = []
        except Failed as reason:
            failed[name] = reason
    for number in range(rounds):
        for name in results:
            if name not in slow or number < SLOW_ROUNDS:
                wait_until_quiet()
                results[name].append(measures[name]())
    return {name: median(values) for name, values in results.items()} | failed


def busy():
    """How many cores others use, over a tenth of a second in which nothing of ours runs."""
    def used():
        user, nice, system, idle, waiting, *rest = map(int, Path("/proc/stat").read_text().split("\n")[0].split()[1:])
        return user + nice + system + sum(rest[:3])
    before, started = used(), time.monotonic()
    time.sleep(0.1)
    return (used() - before) / os.sysconf("SC_CLK_TCK") / (time.monotonic() - started)


def wait_until_quiet():
    """Others' work spoils a figure: waits for its end, but not for ever."""
    runs["all"] += 1
    for _ in range(PATIENCE):
        if busy() <= 0.2:
            return
    runs["disturbed"] += 1


def median(results):
    """Of tuples, each field's; of memory, the largest."""
    if not isinstance(results[0], Result):
        return statistics.median(results)
    return Result(statistics.median(result.wall for result in results), max(result.peak for result in results))


def run(command, environment=None):
    """Runs a command; its wall time and its memory, as GNU time's own child so that nothing of ours counts."""
    figures = SHM / "figures"
    prefix = ["/usr/bin/time", "--quiet", "--format", "%M", "--output", figures]
    started = time.monotonic()
    process = subprocess.run([*prefix, *command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment)
    wall = (time.monotonic() - started) * 1e3
    if process.returncode != 0:
        lines = process.stdout.decode(errors="replace").strip().splitlines() or [f"exit status {process.returncode}"]
        raise Failed(f"{Path(command[0]).name}: {lines[0]}")
    return Result(wall, int(figures.read_text().split()[-1]) * 1024 / 1e6)


def unpacking(command, expected=None):
    """A measure of a command, in which DIR is a fresh directory; once, what it wrote is counted: files and bytes."""
    seen = []

    def measure():
        directory = SHM / "unpacked"
        directory.mkdir()
        try:
            result = run([str(directory) if word == "DIR" else str(word).replace("DIR/", f"{directory}/") for word in command])
            if not seen:
                found = count(directory)
                if expected and found != expected:
                    raise Failed(f"{Path(command[0]).name}: wrote {found[0]} files with {found[1]} bytes, not {expected[0]} with {expected[1]}")
                seen.append(found)
            return result
        finally:
            subprocess.run(["rm", "-rf", directory], check=True)

    return measure


def count(directory):
    """Files, links among them, and their bytes."""
    paths = [os.path.join(path, name) for path, directories, files in os.walk(directory) for name in files + directories]
    found = [status for status in map(os.lstat, paths) if stat.S_ISREG(status.st_mode) or stat.S_ISLNK(status.st_mode)]
    return len(found), sum(status.st_size for status in found)


def first_line(command, environment, wait=True):
    """Milliseconds from the start of a command to the handler's first line, as the handler tells it."""
    started = time.time_ns()
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    process = subprocess.Popen(command, env=environment, start_new_session=True, **pipes)
    output = []
    for line in process.stdout:
        output.append(line)
        if "first" in line:
            break
    else:
        process.wait()
        raise Failed(f"{Path(command[0]).name} never got to the handler's first line: {''.join(output).strip()}")
    if not wait:
        os.killpg(process.pid, signal.SIGKILL)
    process.stdout.read()
    process.wait()
    return (int(line.split()[-1].rstrip("n")) - started) / 1e6
