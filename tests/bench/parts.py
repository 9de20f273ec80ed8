"""What the figures are taken with: packages, a scripted control plane, a trivial Runtime API."""

import atexit
import base64
import contextlib
import hashlib
import http.server
import json
import os
import re
import shutil
import subprocess
import tempfile
import threading
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CACHE = Path(os.environ.get("IMMORTAL_CACHE") or ROOT / ".cache") / "bench"
WORK = Path(tempfile.mkdtemp(prefix="immortal-bench-"))
atexit.register(shutil.rmtree, WORK, ignore_errors=True)


def package(name, file, source):
    """A zip with one file."""
    path = WORK / f"{name}.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(file, source)
    return path


def npm(requirement):
    """A directory for NODE_PATH that has this npm package."""
    target = CACHE / re.sub(r"\W", "-", requirement)
    if not (target / "node_modules").is_dir():
        target.mkdir(parents=True, exist_ok=True)
        subprocess.run(["npm", "install", "--silent", "--prefix", target, requirement], check=True)
    return str(target / "node_modules")


def resident(command, sign):
    """Memory of a process in MB, `VmRSS` and `RssAnon`, once it or its children have printed `sign`."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env={"PATH": os.environ["PATH"]})
    for line in process.stdout:
        if sign in line:
            break
    status = Path(f"/proc/{process.pid}/status").read_text()
    process.terminate()
    process.wait()
    return {name: int(kib) / 1024 for name, kib in re.findall(r"^(VmRSS|RssAnon):\s+(\d+) kB", status, re.M)}


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
def bare_runtime(language, code, handler):
    """Command and environment that start the runtime's client alone, its code in place."""
    task = WORK / f"task-{language}"
    shutil.unpack_archive(code, task)
    with served(RuntimeApi) as port:
        runtime = ROOT / ".runtimes" / language
        environment = {
            "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{port}",
            "_HANDLER": handler,
            "LAMBDA_TASK_ROOT": str(task),
            "LAMBDA_RUNTIME_DIR": str(runtime),
            "NODE_PATH": f"{runtime}/node_modules:{runtime}:{task}",
            "PATH": "/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin",
            # Looked through by every program that starts: part of the function's start, not of ours.
            "LD_LIBRARY_PATH": f"/var/lang/lib:/lib64:/usr/lib64:{runtime}:{runtime}/lib:{task}:{task}/lib:/opt/lib",
            "LANG": "en_US.UTF-8",
            "AWS_LAMBDA_FUNCTION_NAME": "bench",
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
            "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/bench",
            "AWS_LAMBDA_LOG_STREAM_NAME": "bench",
        }
        yield ["env", "-C", str(task), str(runtime / "bootstrap")], environment


class ControlPlane:
    """Lambda's GetFunction for one function, and its code."""

    def __init__(self, code, runtime, handler):
        self.zip = Path(code).read_bytes()
        self.runtime, self.handler = runtime, handler

    def __enter__(self):
        plane = self

        class Api(Handler):
            def do_GET(self):
                if self.path.startswith("/code"):
                    return self.send(200, plane.zip)
                return self.send(200, plane.describe().encode(), [("Content-Type", "application/json")])

        self.server = served(Api)
        self.url = f"http://127.0.0.1:{self.server.__enter__()}"
        self.environment = {
            "AWS_ENDPOINT_URL_LAMBDA": self.url,
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "bench",
            "AWS_SECRET_ACCESS_KEY": "bench",
        }
        return self

    def __exit__(self, *_):
        self.server.__exit__(None, None, None)

    def describe(self):
        arn = "arn:aws:lambda:us-east-1:000000000000:function:bench"
        sha256 = base64.b64encode(hashlib.sha256(self.zip).digest()).decode()
        configuration = {
            "FunctionName": "bench", "FunctionArn": arn, "Runtime": self.runtime, "Handler": self.handler,
            "MemorySize": 128, "Timeout": 3, "Version": "$LATEST", "PackageType": "Zip", "CodeSha256": sha256,
        }
        return json.dumps({"Configuration": configuration, "Code": {"RepositoryType": "S3", "Location": f"{self.url}/code"}})
