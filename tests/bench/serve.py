"""Owns the figures of `serve`: warm invocations beside AWS's emulator and `cargo lambda watch`, and what they cannot do."""

import contextlib
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from pathlib import Path

import table
from measure import wait_until_quiet
from packages import ROOT

CACHE = Path(os.environ.get("IMMORTAL_CACHE", ROOT / ".cache"))
EMULATOR = CACHE / "aws-lambda-rie"
ROUNDS = 5
CALLS = 1000
# The emulator knows one function; `cargo lambda watch` looks for a program of the function's name.
FUNCTION, PROGRAM = "function", "rust-bootstrap"
LANGUAGES = {
    "python": ("python3.11", "app.handler", "app.py", "def handler(event, context):\n    return event\n"),
    "nodejs": ("nodejs20.x", "index.handler", "index.js", "exports.handler = async (event) => event;\n"),
}


class Caller:
    """One connection to a front door, spoken to in bytes: the client is to cost nothing."""

    def __init__(self, port, function=FUNCTION):
        self.port, self.function, self.socket = port, function, None

    def call(self, body):
        if self.socket is None:
            self.socket = socket.create_connection(("127.0.0.1", self.port))
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        head = f"POST /2015-03-31/functions/{self.function}/invocations HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
        self.socket.sendall(head.encode() + body)
        answer = bytearray()
        while b"\r\n\r\n" not in answer:
            answer += self.more()
        head, _, rest = bytes(answer).partition(b"\r\n\r\n")
        fields = head.lower().split(b"\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(f"expected 200, found {head[:80]}")
        if b"transfer-encoding: chunked" in fields:
            pieces = [rest]
            while not pieces[-1].endswith(b"0\r\n\r\n"):
                pieces.append(self.more())
            return sum(map(len, pieces))
        length = next(int(field.split(b":")[1]) for field in fields if field.startswith(b"content-length"))
        got = len(rest)
        while got < length:
            got += len(self.more())
        return got

    def more(self):
        piece = self.socket.recv(1 << 20)
        if not piece:
            raise RuntimeError("the connection was closed in the middle of an answer")
        return piece


def free_port():
    with socket.socket() as it:
        it.bind(("127.0.0.1", 0))
        return it.getsockname()[1]


def ours(runner, language, directory, port, *more):
    if language == "rust":
        return [runner, "serve", "--code", directory, "--runtime", "provided.al2023", "--handler", "x", "--port", str(port)], {}
    runtime, handler, _, _ = LANGUAGES[language]
    command = [runner, "serve", "--code", directory / "code.zip", "--runtime", runtime, "--handler", handler]
    return [*command, "--runtime-dir", ROOT / ".runtimes", "--port", str(port), *more], {}


def emulators(language, directory, port):
    runtime, handler, _, _ = LANGUAGES[language]
    client = ROOT / ".runtimes" / language
    environment = {
        "_HANDLER": handler, "LAMBDA_TASK_ROOT": str(directory), "LAMBDA_RUNTIME_DIR": str(client),
        "NODE_PATH": f"{client}/node_modules:{directory}", "AWS_EXECUTION_ENV": f"AWS_Lambda_{runtime}",
        "AWS_LAMBDA_FUNCTION_NAME": "bench", "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128", "AWS_LAMBDA_LOG_GROUP_NAME": "x", "AWS_LAMBDA_LOG_STREAM_NAME": "x",
    }
    command = [EMULATOR, "--runtime-api-address", f"127.0.0.1:{free_port()}"]
    return [*command, "--runtime-interface-emulator-address", f"127.0.0.1:{port}", client / "bootstrap"], environment


def watched(port):
    """A handler in Rust, as cargo-lambda serves it, built as it builds it."""
    command = [ROOT / ".venv/bin/cargo-lambda", "lambda", "watch", "--manifest-path", ROOT / "tests/Cargo.toml", "--bin", PROGRAM]
    keep = ("HOME", "CARGO_HOME", "RUSTUP_HOME", "CARGO_TARGET_DIR")
    environment = {name: os.environ[name] for name in keep if name in os.environ}
    return [*command, "--release", "--ignore-changes", "-A", "127.0.0.1", "-P", str(port)], environment


@contextlib.contextmanager
def serving(command, environment, directory):
    environment = {"PATH": os.environ["PATH"], "TMPDIR": str(directory)} | environment
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(command, cwd=directory, env=environment, **quiet)
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def first(caller, body=b"{}"):
    """Milliseconds until the first answer, from now."""
    started = time.perf_counter()
    while True:
        try:
            caller.call(body)
            return (time.perf_counter() - started) * 1e3
        except ConnectionRefusedError:
            time.sleep(0.001)


def resident(process):
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def warm(start, directory, function):
    """First answer, p50, p99 in ms, calls per second, resident memory in MB."""
    port = free_port()
    command, environment = start(port)
    with serving(command, environment, directory) as process:
        caller = Caller(port, function)
        begun = first(caller)
        times = []
        for _ in range(CALLS):
            started = time.perf_counter()
            caller.call(b'{"a": 1}')
            times.append((time.perf_counter() - started) * 1e3)
        times.sort()
        return begun, times[CALLS // 2], times[CALLS * 99 // 100], 1e3 * CALLS / sum(times), resident(process)


def beside(runner, language, directory, peer, start):
    """The figures of one handler, ours and the peer's in turn."""
    starts = {"ours": lambda port: ours(runner, language, directory, port), "peer": start}
    found = {name: [] for name in starts}
    for _ in range(ROUNDS):
        for name, start in starts.items():
            wait_until_quiet()
            found[name].append(warm(start, directory, PROGRAM if language == "rust" else FUNCTION))
    medians = {name: [statistics.median(column) for column in zip(*rows)] for name, rows in found.items()}
    mine, theirs = medians["ours"], medians["peer"]
    table.row(f"serve, {language}: first answer", mine[0], "ms", peer, theirs[0], 1.0)
    table.row(f"serve, {language}: warm, p50", mine[1], "ms", peer, theirs[1], 0.6)
    table.row(f"serve, {language}: warm, p99", mine[2], "ms", peer, theirs[2], 0.5)
    table.faster(f"serve, {language}: one call", 1e3 / mine[3], "ms", peer, 1e3 / theirs[3], 2.0)
    table.row(f"serve, {language}: memory of the supervisor", mine[4], "MB", peer, theirs[4], 0.7)


def large(runner, directory):
    """Payloads that come back as they went; the emulator takes none above 6 MB."""
    port = free_port()
    command, environment = ours(runner, "nodejs", directory, port, "--memory", "2048")
    with serving(command, environment, directory) as process:
        caller = Caller(port)
        first(caller)
        for size in (5, 100):
            body = b'"' + b"x" * ((size << 20) - 2) + b'"'
            started = time.perf_counter()
            if caller.call(body) != len(body):
                raise RuntimeError("the answer is not the event")
            table.row(f"serve, nodejs: {size} MiB there and back", (time.perf_counter() - started) * 1e3, "ms")
        table.row("serve, nodejs: memory of the supervisor afterwards", resident(process), "MB")


def parallel(runner, directory):
    """Callers at the same time: none of them sees an error."""
    port = free_port()
    command, environment = ours(runner, "python", directory, port, "--concurrency", "2")
    with serving(command, environment, directory):
        first(Caller(port))
        for clients in (1, 8, 64):
            errors, started = [], time.perf_counter()
            threads = [threading.Thread(target=calls, args=(port, 640 // clients, errors)) for _ in range(clients)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            rate = 640 / (time.perf_counter() - started)
            table.bound(f"serve, python, 2 runtimes, {clients} clients, {rate:.0f} calls/s: errors", len(errors), "", 0)


def calls(port, count, errors):
    caller = Caller(port)
    for _ in range(count):
        try:
            caller.call(b"{}")
        except (OSError, RuntimeError) as error:
            errors.append(error)


def built(directory):
    """A package with the handler in Rust that the tests have too."""
    subprocess.run(["cargo", "build", "--quiet", "--release", "--locked", "-p", "e2e", "--bin", PROGRAM], cwd=ROOT, check=True)
    directory.mkdir()
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    shutil.copy(target / "release" / PROGRAM, directory / "bootstrap")
    return directory


def figures(runner):
    runner = Path(runner).absolute()
    with tempfile.TemporaryDirectory() as name:
        for language, (_, _, file, text) in LANGUAGES.items():
            directory = Path(name) / language
            directory.mkdir()
            (directory / file).write_text(text)
            with zipfile.ZipFile(directory / "code.zip", "w") as package:
                package.write(directory / file, file)
            beside(runner, language, directory, "AWS's emulator", lambda port: emulators(language, directory, port))
        beside(runner, "rust", built(Path(name) / "rust"), "cargo lambda watch", watched)
        large(runner, Path(name) / "nodejs")
        parallel(runner, Path(name) / "python")


if __name__ == "__main__":
    figures(sys.argv[1])
