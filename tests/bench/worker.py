"""Owns the figures of workers: what lies between a handler's return and the next handler's start, and jobs a second beside
`cargo lambda watch` and the ancestor, with the same handlers. Queue and control plane answer at once, in a process of their own."""

import asyncio
import base64
import contextlib
import hashlib
import json
import multiprocessing
import os
import statistics
import subprocess
import tempfile
import time
import uuid
import zipfile
from pathlib import Path

import serve
import table
from measure import run, wait_until_quiet
from packages import HERE, ROOT, npm

JOBS = 3_000
ROUNDS = 3
# Runs of the ancestor, which makes a process for each.
FEW = 10
NAME = "bench"
ARN = f"arn:aws:lambda:eu-west-1:123456789012:function:{NAME}"
PYTHON = """\
import time
def handler(event, context):
    began = time.time_ns()
    return {"began": began, "ended": time.time_ns()}
"""
NODE = """\
const now = () => Math.round((performance.timeOrigin + performance.now()) * 1e6);
exports.handler = async () => {
  const began = now();
  return { began, ended: now() };
};
"""
LANGUAGES = {
    "python": ("python3.11", "app.handler", "app.py", PYTHON),
    "nodejs": ("nodejs20.x", "index.handler", "index.js", NODE),
}


class Aws:
    """A queue of pointers to jobs, and a control plane with one function, behind one port."""

    def __init__(self, ledger, jobs, configuration, code, counts):
        self.ledger, self.jobs, self.next = ledger, jobs, 0
        self.configuration, self.code, self.counts = configuration, code, counts

    async def answer(self, operation, path, body):
        if path.startswith("/code"):
            return self.code
        if path.startswith("/2015-03-31/functions"):
            self.counts[1] += 1
            return {"Configuration": self.configuration, "Code": {"Location": f"http://127.0.0.1:{self.port}/code"}}
        if operation == "ReceiveMessage":
            return await self.receive(body["MaxNumberOfMessages"], body["WaitTimeSeconds"])
        if operation == "DeleteMessageBatch":
            self.counts[0] += len(body["Entries"])
        return {"Successful": [{"Id": entry["Id"]} for entry in body.get("Entries", [])], "Failed": []}

    async def receive(self, most, wait):
        self.counts[2] += 1
        if self.next >= self.jobs:
            await asyncio.sleep(wait)
        numbers = range(self.next, min(self.next + most, self.jobs))
        self.next += len(numbers)
        point = '{{"job":"file://{}/jobs/j-{}","attempt":1}}'
        return {"Messages": [{"MessageId": f"m-{n}", "ReceiptHandle": f"h-{n}", "Body": point.format(self.ledger, n)} for n in numbers]}

    async def serve(self, reader, writer):
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while head := await reader.readuntil(b"\r\n\r\n"):
                lines = head.decode().split("\r\n")
                headers = dict(line.lower().split(": ", 1) for line in lines[1:] if ": " in line)
                target = next((line.split(".")[-1] for line in lines if line.lower().startswith("x-amz-target")), "")
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                answer = await self.answer(target, lines[0].split(" ")[1], json.loads(body or b"{}"))
                writer.write(self.response(answer, headers.get("range")))
        writer.close()

    @staticmethod
    def response(answer, wanted):
        if isinstance(answer, dict):
            text = json.dumps(answer).encode()
            return b"HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: %d\r\n\r\n" % len(text) + text
        if wanted is None:
            return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(answer) + answer
        first, last = wanted.removeprefix("bytes=").split("-")
        start, end = (int(first), min(int(last or len(answer)), len(answer) - 1)) if first else (max(len(answer) - int(last), 0), len(answer) - 1)
        head = b"HTTP/1.1 206 Part\r\nContent-Range: bytes %d-%d/%d\r\nContent-Length: %d\r\n\r\n" % (start, end, len(answer), end + 1 - start)
        return head + answer[start : end + 1]


def aws(port, *arguments):
    async def listen():
        api = Aws(*arguments)
        server = await asyncio.start_server(api.serve, "127.0.0.1", 0)
        api.port = server.sockets[0].getsockname()[1]
        port.put(api.port)
        await server.serve_forever()

    asyncio.run(listen())


def recorded(ledger, jobs):
    """Jobs in a ledger, as docs/ledger.md has them."""
    (ledger / "active").mkdir(parents=True)
    for number in range(jobs):
        (ledger / "active" / f"j-{number}").touch()
        home = ledger / "jobs" / f"j-{number}"
        home.mkdir(parents=True)
        job = {
            "version": 1, "id": f"j-{number}", "writer": uuid.uuid4().hex, "function": NAME, "event": {"n": number},
            "origin": {"kind": "direct"}, "destinations": [], "created": "2026-10-09T16:43:26.568Z",
        }
        (home / "job.json").write_text(json.dumps(job))


@contextlib.contextmanager
def account(ledger, package, runtime, handler, jobs):
    """Queue and control plane; yields what was counted (deleted, described, received) and the variables that lead there."""
    code = package.read_bytes()
    configuration = {
        "FunctionName": NAME, "FunctionArn": ARN, "Runtime": runtime, "Handler": handler, "MemorySize": 512, "Timeout": 3,
        "Version": "$LATEST", "PackageType": "Zip", "CodeSha256": base64.b64encode(hashlib.sha256(code).digest()).decode(),
    }
    counts, port = multiprocessing.Array("l", 3), multiprocessing.Queue()
    server = multiprocessing.Process(target=aws, args=(port, ledger, jobs, configuration, code, counts), daemon=True)
    server.start()
    try:
        yield counts, {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port.get()}", "AWS_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "x",
            "AWS_SECRET_ACCESS_KEY": "x", "PATH": os.environ["PATH"],
        }
    finally:
        server.kill()
        server.join()


def worked(runner, package, runtime, handler, shared, jobs=JOBS):
    """Jobs a second, from the second the first is deleted; and what their handlers answered."""
    with tempfile.TemporaryDirectory(dir=shared) as directory:
        ledger = Path(directory, "ledger")
        recorded(ledger, jobs)
        with account(ledger, package, runtime, handler, jobs) as (counts, environment):
            url = f"{environment['AWS_ENDPOINT_URL']}/123456789012/work"
            command = [runner, "work", "--queue", url, "--idle", "1s", "--runtime-dir", ROOT / ".runtimes"]
            quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
            process = subprocess.Popen(command, env=environment, **quiet)
            try:
                began = None
                while (done := counts[0]) < jobs:
                    if process.poll() is not None:
                        raise SystemExit(f"the worker has ended with {process.returncode} after {done} jobs")
                    if began is None and done:
                        began = (time.monotonic(), done)
                    time.sleep(0.002)
                rate = (jobs - began[1]) / (time.monotonic() - began[0])
                memory = serve.resident(process)
            finally:
                process.kill()
                process.wait()
            if list((ledger / "active").iterdir()):
                raise SystemExit("a message was deleted whose job is unfinished")
        outcomes = [json.loads((ledger / f"jobs/j-{n}/outcome.json").read_text()) for n in range(jobs)]
        return rate, memory, [outcome["record"]["responsePayload"] for outcome in outcomes]


def gaps(answers):
    """Milliseconds between a handler's return and the next one's start; without the first few, when the worker does not know
    yet how long jobs take."""
    answers = sorted(answers, key=lambda answer: answer["began"])[50:]
    return sorted((after["began"] - before["ended"]) / 1e6 for before, after in zip(answers, answers[1:]))


def packed(directory, file, text):
    path = directory / "code.zip"
    with zipfile.ZipFile(path, "w") as package:
        info = zipfile.ZipInfo(file)
        info.external_attr = 0o755 << 16
        package.writestr(info, text)
    return path


def places():
    """Directories for ledgers: on a disk, where each record is flushed, and in memory."""
    yield "on disk", None
    if os.access("/dev/shm", os.W_OK):
        yield "in memory", "/dev/shm"


def overhead(runner, language, directory):
    runtime, handler, file, text = LANGUAGES[language]
    package, rates = packed(directory, file, text), {}
    for place, shared in places():
        rounds = []
        for _ in range(ROUNDS):
            wait_until_quiet()
            rate, memory, answers = worked(runner, package, runtime, handler, shared)
            found = gaps(answers)
            rounds.append((found[len(found) // 2], found[len(found) * 99 // 100], rate, memory))
        p50, p99, rate, memory = (statistics.median(column) for column in zip(*rounds))
        title = f"worker, {language}, ledger {place}"
        table.bound(f"{title}: from a handler's return to the next one's start, p50", p50, "ms", 1)
        table.row(f"{title}: the same, p99", p99, "ms")
        table.row(f"{title}: jobs", rate, "/s")
        table.row(f"{title}: memory of the supervisor", memory, "MB")
        rates[place] = rate
    return package, rates


def ancestor(package, runtime, handler):
    """Milliseconds that the ancestor takes for one job: a process that fetches, unpacks, and calls the handler."""
    with tempfile.TemporaryDirectory() as name:
        with account(Path(name), package, runtime, handler, 0) as (_, environment):
            theirs = {
                **environment, "AWS_ENDPOINT_URL_LAMBDA": environment["AWS_ENDPOINT_URL"], "TMPDIR": name,
                "NODE_PATH": npm("unzipper@0.12.3"),
            }
            return statistics.median(run(["node", HERE / "ancestor.cjs"], theirs).wall for _ in range(FEW))


def watched(directory):
    """Milliseconds of one call of `cargo lambda watch`, warm."""
    found = []
    for _ in range(ROUNDS):
        wait_until_quiet()
        found.append(1e3 / serve.warm(serve.watched, directory, serve.PROGRAM)[3])
    return statistics.median(found)


def figures(runner):
    runner = Path(runner).absolute()
    with tempfile.TemporaryDirectory() as name:
        rates = {}
        for language in LANGUAGES:
            directory = Path(name) / language
            directory.mkdir()
            package, rates[language] = overhead(runner, language, directory)
        theirs = ancestor(package, *LANGUAGES["nodejs"][:2])
        for place, rate in rates["nodejs"].items():
            table.faster(f"worker, nodejs, ledger {place}: a job", 1e3 / rate, "ms", "the ancestor", theirs, 3.0)
        program = serve.built(Path(name) / "rust")
        package = packed(program, "bootstrap", (program / "bootstrap").read_bytes())
        theirs = watched(program)
        for place, shared in places():
            wait_until_quiet()
            rate = statistics.median(worked(runner, package, "provided.al2023", "x", shared)[0] for _ in range(ROUNDS))
            table.faster(f"worker, rust, ledger {place}: a job", 1e3 / rate, "ms", "cargo lambda watch", theirs, 3.0)
