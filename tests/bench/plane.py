"""Owns the scripted APIs: Lambda's GetFunction for one function, and the least of a Runtime API."""

import base64
import contextlib
import hashlib
import http.server
import json
import threading
from pathlib import Path


class Server(http.server.ThreadingHTTPServer):
    """Clients are killed once they have been measured: their broken connections are no news."""

    def handle_error(self, *_):
        pass


@contextlib.contextmanager
def served(handler):
    """An HTTP server on a free port; yields the port."""
    server = Server(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers and keeps quiet."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def send(self, status, body, headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class RuntimeApi(Handler):
    """The least that a runtime's client needs: it always has an event and takes every answer."""

    EVENT = {
        "Content-Type": "application/json",
        "Lambda-Runtime-Aws-Request-Id": "bench",
        "Lambda-Runtime-Deadline-Ms": "9999999999999",
        "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:us-east-1:000000000000:function:bench",
        "Lambda-Runtime-Trace-Id": "Root=1-0-0;Parent=0;Sampled=0",
    }

    def do_GET(self):
        self.send(200, b"{}", self.EVENT.items())

    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.send(202, b'{"status":"OK"}')


@contextlib.contextmanager
def control_plane(code, url, runtime, handler):
    """GetFunction for the function `bench`, whose code is at a URL; yields the environment that leads there."""
    configuration = {
        "FunctionName": "bench", "FunctionArn": "arn:aws:lambda:us-east-1:000000000000:function:bench",
        "Runtime": runtime, "Handler": handler, "MemorySize": 128, "Timeout": 3, "Version": "$LATEST", "PackageType": "Zip",
        "CodeSha256": base64.b64encode(hashlib.sha256(Path(code).read_bytes()).digest()).decode(),
    }
    body = json.dumps({"Configuration": configuration, "Code": {"RepositoryType": "S3", "Location": url}}).encode()

    class Api(Handler):
        def do_GET(self):
            self.send(200, body, [("Content-Type", "application/json")])

    with served(Api) as port:
        yield {
            "AWS_ENDPOINT_URL_LAMBDA": f"http://127.0.0.1:{port}", "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "bench", "AWS_SECRET_ACCESS_KEY": "bench",
        }
