"""Owns the figures of a gigabyte that passes through PID 1: from the function to the ledger as its response, and from the
ledger to the function as its event; the ledger in a directory and in S3 (moto)."""

import contextlib
import hashlib
import json
import os
import socket
import statistics
import subprocess
import tempfile
import time
import zipfile
from pathlib import Path

import server
import table
from measure import Failed
from packages import ROOT
from plane import control_plane

MEGABYTES = 1024
# What stands at the beginning and at the end of a passage is making ready and clearing up: so much of it is left out.
EDGE = 0.1
# Reads its event piece by piece, answers with as many megabytes as the job's client context says, and tells when.
BOOTSTRAP = """\
#!/usr/bin/python3
import http.client, json, os, sys
api, prefix = os.environ["AWS_LAMBDA_RUNTIME_API"], "/2018-06-01/runtime/invocation"
connection = http.client.HTTPConnection(api)
connection.request("GET", prefix + "/next")
event = connection.getresponse()
tell = lambda what: os.write(2, f"passage {what}\\n".encode())
identifier = event.headers["lambda-runtime-aws-request-id"]
megabytes = json.loads(event.headers["lambda-runtime-client-context"])["megabytes"]
tell("event")
while event.read(1 << 20):
    pass
tell("taken")
piece = b"1" * (1 << 20)
connection.request("POST", f"{prefix}/{identifier}/response", (piece for _ in range(megabytes)))
connection.getresponse().read()
tell("answered")
connection.request("GET", prefix + "/next")
connection.getresponse()
"""


class Directory:
    """A ledger in a directory."""

    def __init__(self, work):
        self.root, self.environment = work / "ledger", {}

    def address(self):
        return f"file://{self.root}"

    def put(self, key, body):
        path = self.root / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)

    def size(self, key):
        return (self.root / key).stat().st_size


class Bucket:
    """A ledger in S3, of which moto stands in."""

    def __init__(self, port):
        self.environment = {"AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{port}"}
        import boto3

        self.client = boto3.client(
            "s3", endpoint_url=self.environment["AWS_ENDPOINT_URL_S3"], region_name="us-east-1",
            aws_access_key_id="bench", aws_secret_access_key="bench",
        )
        self.client.create_bucket(Bucket="ledger")

    def address(self):
        return "s3://ledger/p"

    def put(self, key, body):
        self.client.put_object(Bucket="ledger", Key=f"p/{key}", Body=body)

    def size(self, key):
        return self.client.head_object(Bucket="ledger", Key=f"p/{key}")["ContentLength"]


@contextlib.contextmanager
def bucket():
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen([ROOT / ".venv/bin/python", ROOT / "tests/src/moto_server.py", "127.0.0.1", str(port)], **quiet)
    try:
        while True:
            if process.poll() is not None:
                raise Failed("moto: its port is taken")
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                break
            time.sleep(0.02)
        yield Bucket(port)
    finally:
        process.kill()
        process.wait()


def record(ledger, event, megabytes):
    """A job whose function answers with so many megabytes."""
    job = {
        "version": 1, "id": "j", "writer": "w", "function": "bench", "destinations": [], "origin": {"kind": "direct"},
        "context": {"clientContext": json.dumps({"megabytes": megabytes})}, "created": "2026-10-09T16:43:26.568Z",
        "eventObject": {"key": "jobs/j/event", "bytes": len(event), "sha256": hashlib.sha256(event).hexdigest()},
    }
    ledger.put("active/j", b"")
    ledger.put("jobs/j/event", event)
    ledger.put("jobs/j/job.json", json.dumps(job).encode())


def own(pid):
    """MB of memory that is the process's own."""
    with contextlib.suppress(OSError, IndexError):
        return int(Path(f"/proc/{pid}/status").read_text().split("RssAnon:")[1].split()[0]) / 1024
    return None


def watched(runner, environment, ledger):
    """Moments at which the function told something, and samples of PID 1's memory: (moment, MB)."""
    environment = {
        **environment, **ledger.environment, "PATH": os.environ["PATH"], "IMMORTAL_JOB": f"{ledger.address()}/jobs/j",
        "IMMORTAL_ATTEMPT": "1", "IMMORTAL_RUNTIME_DIR": str(ROOT / ".runtimes"),
    }
    moments, samples = {"begun": time.monotonic()}, []
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen([runner], env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log)
        while process.poll() is None:
            if (memory := own(process.pid)) is not None:
                samples.append((time.monotonic(), memory))
            text = os.pread(log.fileno(), 1 << 16, 0).decode()
            for what in ("event", "taken", "answered"):
                if f"passage {what}\n" in text:
                    moments.setdefault(what, time.monotonic())
            time.sleep(0.005)
        moments["ended"] = time.monotonic()
    if process.returncode != 0:
        raise Failed(f"exit status {process.returncode}: {text.strip().splitlines()[-1]}")
    return moments, samples


def flat(title, moments, samples, begin, end):
    """How far the memory rises above its median between two moments. That it falls when all is done is no rise."""
    begin, end = moments[begin], moments[end]
    edge = (end - begin) * EDGE
    within = [memory for moment, memory in samples if begin + edge <= moment <= end - edge]
    if not within:
        return table.skipped(title, "it was over too soon")
    table.bound(f"{title}, most above the median", max(within) - statistics.median(within), "MB", 2)


def passages(runner, environment, name, ledger):
    record(ledger, b'"in"', MEGABYTES)
    moments, samples = watched(runner, environment, ledger)
    if ledger.size("jobs/j/response") != MEGABYTES << 20:
        raise Failed("the response is not whole")
    title = f"ledger in {name}: memory of PID 1"
    flat(f"{title} while a response of 1 GB comes", moments, samples, "taken", "answered")
    flat(f"{title} while it goes to the ledger", moments, samples, "answered", "ended")
    table.bound(f"{title}, response of 1 GB: the most", max(memory for _, memory in samples), "MB", 24)


def events(runner, environment, name, ledger):
    record(ledger, b'"' + b"e" * ((MEGABYTES << 20) - 2) + b'"', 1)
    moments, samples = watched(runner, environment, ledger)
    title = f"ledger in {name}: memory of PID 1"
    flat(f"{title} while an event of 1 GB comes", moments, samples, "begun", "event")
    flat(f"{title} while it is given out", moments, samples, "event", "taken")
    table.bound(f"{title}, event of 1 GB: the most", max(memory for _, memory in samples), "MB", 24)


def figures(runner):
    with tempfile.TemporaryDirectory() as work:
        work = Path(work)
        code = work / "code.zip"
        with zipfile.ZipFile(code, "w") as package:
            entry = zipfile.ZipInfo("bootstrap")
            entry.external_attr = 0o100755 << 16
            package.writestr(entry, BOOTSTRAP)
        with server.serving(work) as base, control_plane(code, f"{base}/code.zip", "provided.al2023", "h") as environment:
            for passage in (passages, events):
                with tempfile.TemporaryDirectory() as own_work:
                    passage(runner, environment, "a directory", Directory(Path(own_work)))
                with bucket() as ledger:
                    passage(runner, environment, "S3", ledger)
