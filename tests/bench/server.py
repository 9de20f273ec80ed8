"""Owns the wire: an HTTP server of files that sends at a pace, in a process of its own. `server.py DIR` prints its port.

`GET /NAME?pace=80` sends at 80 MB/s on each connection; without `pace`, as fast as it goes. Like S3 it knows ranges,
ETags, If-Match and lasting connections.
"""

import contextlib
import os
import re
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

# A paced connection sends this much at once: 1.6 ms at 80 MB/s.
STEP = 128 << 10
# Seconds that it may catch up with when it was kept from sending. What the client lets pass beyond them is lost, as on
# a real wire.
BURST = 0.0125


@contextlib.contextmanager
def serving(directory):
    """Serves a directory; yields its URL."""
    process = subprocess.Popen([sys.executable, __file__, directory], stdout=subprocess.PIPE, text=True)
    try:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.terminate()
        process.wait()


def send(connection, file, start, length, pace):
    """Sends a piece of a file, at `pace` bytes per second unless that is None."""
    end = start + length
    allowance, before = 0.0, time.monotonic()
    while start < end:
        step = end - start if pace is None else min(STEP, end - start)
        if pace is not None:
            now = time.monotonic()
            allowance, before = min(allowance + (now - before) * pace, BURST * pace), now
            if allowance < step:
                time.sleep((step - allowance) / pace)
                continue
        sent = os.sendfile(connection.fileno(), file.fileno(), start, step)
        if sent == 0:
            raise ConnectionError("the file has become shorter")
        start += sent
        allowance -= sent


def requested(text, size):
    """Start and length of what a Range header asks for; None if there is nothing."""
    first, last = re.fullmatch(r"bytes=(\d*)-(\d*)", text).groups()
    if not first:
        start, end = max(size - int(last), 0), size
    else:
        start, end = int(first), min(int(last) + 1, size) if last else size
    return (start, end - start) if start < end else None


def read_request(reader):
    """Method, path, query and headers; None when the client has gone."""
    line = reader.readline().decode("latin-1").split()
    if len(line) != 3:
        return None
    headers = {}
    while (header := reader.readline().decode("latin-1").strip()):
        name, _, value = header.partition(":")
        headers[name.lower()] = value.strip()
    url = urlsplit(line[1])
    return line[0], unquote(url.path), parse_qs(url.query), headers


def answer(connection, status, length, headers=()):
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {length}", *headers]
    connection.sendall("\r\n".join([*lines, "", ""]).encode())


def serve_file(connection, root, method, path, query, headers):
    file = root / path.lstrip("/")
    if method not in ("GET", "HEAD") or not file.is_file():
        return answer(connection, "404 Not Found", 0)
    with file.open("rb") as file:
        status = os.fstat(file.fileno())
        etag = f'"{status.st_size:x}-{status.st_mtime_ns:x}"'
        about = [f"ETag: {etag}", "Accept-Ranges: bytes", "Content-Type: application/zip"]
        if headers.get("if-match", etag) not in (etag, "*"):
            return answer(connection, "412 Precondition Failed", 0, about)
        start, length, line = 0, status.st_size, "200 OK"
        if "range" in headers:
            span = requested(headers["range"], status.st_size)
            if span is None:
                return answer(connection, "416 Range Not Satisfiable", 0, [f"Content-Range: bytes */{status.st_size}"])
            start, length = span
            line = "206 Partial Content"
            about.append(f"Content-Range: bytes {start}-{start + length - 1}/{status.st_size}")
        answer(connection, line, length, about)
        if method == "GET":
            pace = query.get("pace")
            send(connection, file, start, length, int(pace[0]) * 1e6 if pace else None)


def serve(connection, root):
    """One client, until it goes."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with connection, connection.makefile("rb") as reader, contextlib.suppress(ConnectionError):
        while (request := read_request(reader)) is not None:
            serve_file(connection, root, *request)
            if request[3].get("connection", "").lower() == "close":
                break


def main(directory):
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    print(listener.getsockname()[1], flush=True)
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=serve, args=(connection, Path(directory)), daemon=True).start()


if __name__ == "__main__":
    main(sys.argv[1])
