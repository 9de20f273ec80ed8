"""Owns the figures of fetching and unpacking: beside the download alone, and beside what two cores can do at best."""

import json
import socket
import subprocess
import time
from pathlib import Path
from urllib.parse import urlsplit

import packages
import server
from measure import SHM, Failed, Result, in_turn, run, unpacking
from table import bound, row, skipped

WHAT = {"node": "many files", "py": "large objects", "bin": "one binary"}
UNPACED_GOALS = {"node": 1.3, "py": 1.35, "bin": 1.7}
ONE, FOUR = "1 connection", "4 connections"


def command(runner, url, connections):
    return [runner, "unpack", url, "DIR", "--connections", str(connections)]


def reading(url):
    """Downloads with a plain loop of reads."""
    parts = urlsplit(url)
    target, buffer = f"{parts.path}?{parts.query}", bytearray(1 << 20)
    started = time.monotonic()
    with socket.create_connection((parts.hostname, parts.port)) as connection:
        connection.sendall(f"GET {target} HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n".encode())
        while connection.recv_into(buffer):
            pass
    return Result((time.monotonic() - started) * 1e3)


def limit(program, url):
    """What two cores can do at best, in ms of CPU: see tests/src/bin/limit.rs."""
    directory = SHM / "limit"
    try:
        output = subprocess.run([program, url, directory], check=True, stdout=subprocess.PIPE).stdout
    finally:
        subprocess.run(["rm", "-rf", directory], check=True)
    return json.loads(output)["limit"]


def measured(runner, name, url, pace):
    """Download alone in two ways, ours with one and with four connections, and the limit."""
    expected = packages.contents(packages.package(name))
    paced = f"{url}/{name}.zip{pace}"
    results = in_turn({
        "curl": lambda: run(["curl", "-sSf", "-o", "/dev/null", paced]),
        "loop": lambda: reading(paced),
        "limit": lambda: limit(Path(runner).with_name("limit"), f"{url}/{name}.zip"),
        ONE: unpacking(command(runner, paced, 1), expected),
        FOUR: unpacking(command(runner, paced, 4), expected),
    })
    results["download"] = min(results["curl"].wall, results["loop"].wall)
    return results


def rows(name, pace, results):
    """Beside what bounds one connection. At 80 MB/s that is the wire, goals or not; else the slower of wire and cores."""
    title = f"{WHAT[name]}, {pace} MB/s" if pace else f"{WHAT[name]}, unpaced"
    if isinstance(results[ONE], Failed):
        return skipped(title, results[ONE])
    download, limit = results["download"], results["limit"]
    beside, theirs, goal = "download alone", download, 1.03
    if pace != 80:
        beside, theirs = max(("download alone", download), ("two-core limit", limit), key=lambda pair: pair[1])
        goal = None if pace else UNPACED_GOALS[name]
    row(f"{title}, {ONE}", results[ONE].wall, "ms", beside, theirs, at_most=goal)
    row(f"{title}, {FOUR}", results[FOUR].wall, "ms", beside, theirs)


def memory(connections, most, all_results):
    peaks = [results[connections].peak for results in all_results if not isinstance(results[connections], Failed)]
    if peaks:
        bound(f"largest resident memory of all runs with {connections}", max(peaks), "MB", most)


def figures(runner):
    all_results = []
    with server.serving(packages.package("node").parent) as url:
        for name in WHAT:
            packages.package(name)
            for pace in (80, 300, None):
                results = measured(runner, name, url, f"?pace={pace}" if pace else "")
                rows(name, pace, results)
                all_results.append(results)
    memory(ONE, 32, all_results)
    memory(FOUR, 64, all_results)
