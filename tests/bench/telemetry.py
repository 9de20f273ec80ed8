"""Owns the figure of telemetry: a gigabyte of log lines, alone and beside a subscriber that takes a megabyte a second."""

import json
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

import table
from measure import wait_until_quiet
from packages import ROOT

ROUNDS = 3
HANDLER = '''
import os, time

BLOCK = (b"x" * 1023 + b"\\n") * 1024


def handler(event, context):
    started = time.monotonic()
    for _ in range(1024):
        left = BLOCK
        while left:
            left = left[os.write(1, left):]
    return time.monotonic() - started
'''
SUBSCRIBER = '''#!/usr/bin/env python3
import json, os, socket, threading, time, urllib.request

API = "http://" + os.environ["AWS_LAMBDA_RUNTIME_API"]


def call(method, path, headers, body=None):
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(API + path, data, headers, method=method)) as answer:
        return answer.headers, answer.read()


def take(connection):
    """Reads what comes at a megabyte a second, and answers each request."""
    began, taken, buffer = time.monotonic(), 0, b""
    while True:
        piece = connection.recv(65536)
        if not piece:
            return
        taken += len(piece)
        time.sleep(max(0, taken / 1e6 - (time.monotonic() - began)))
        buffer += piece
        head, found, body = buffer.partition(b"\\r\\n\\r\\n")
        if found:
            length = next(int(line.split(b":")[1]) for line in head.lower().split(b"\\r\\n") if line.startswith(b"content-length"))
            if len(body) >= length:
                buffer = body[length:]
                connection.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 0\\r\\n\\r\\n")


def accept():
    while True:
        threading.Thread(target=take, args=(server.accept()[0],), daemon=True).start()


server = socket.create_server(("127.0.0.1", 0))
threading.Thread(target=accept, daemon=True).start()
headers, _ = call("POST", "/2020-01-01/extension/register", {"Lambda-Extension-Name": "slow.py"}, {"events": ["INVOKE"]})
me = {"Lambda-Extension-Identifier": headers["Lambda-Extension-Identifier"]}
call("PUT", "/2022-07-01/telemetry", me, {
    "schemaVersion": "2022-12-13", "types": ["platform", "function"],
    "destination": {"protocol": "HTTP", "URI": f"http://sandbox.localdomain:{server.getsockname()[1]}"},
})
while True:
    call("GET", "/2020-01-01/extension/event/next", me)
'''


def packed(directory, name, file, text):
    with zipfile.ZipFile(directory / name, "w") as package:
        entry = zipfile.ZipInfo(file)
        entry.external_attr = 0o100755 << 16
        package.writestr(entry, text)
    return directory / name


def run(command):
    """Seconds that the handler wrote for, and the supervisor's largest resident memory in MB."""
    wait_until_quiet()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    peak = 0
    while process.poll() is None:
        status = Path(f"/proc/{process.pid}/status").read_text()
        if "VmHWM:" in status:
            peak = max(peak, int(status.split("VmHWM:")[1].split()[0]) / 1024)
        time.sleep(0.05)
    return json.loads(process.stdout.read()), peak


def figures(runner):
    with tempfile.TemporaryDirectory() as name:
        code = packed(Path(name), "code.zip", "app.py", HANDLER)
        layer = packed(Path(name), "layer.zip", "extensions/slow.py", SUBSCRIBER)
        command = [runner, "invoke", "--code", code, "--runtime", "python3.11", "--handler", "app.handler"]
        command += ["--runtime-dir", ROOT / ".runtimes", "--event", "{}", "--memory", "1024"]
        alone, slowly = [], []
        for _ in range(ROUNDS):
            alone.append(run(command))
            slowly.append(run([*command, "--layer", layer]))
    table.row("telemetry: a handler writes 1 GB of lines, a subscriber takes 1 MB/s", min(slowly)[0] * 1e3, "ms", "no subscriber", min(alone)[0] * 1e3, 1.5)
    table.bound("telemetry: the supervisor's memory", max(peak for _, peak in slowly), "MB", 24)


if __name__ == "__main__":
    figures(sys.argv[1])
