"""Deploys the example functions to a Lambda API on this machine, with a Timeout of 3 s, and runs each
of them for 5 s with the runner: `run.py RUNNER`, after `make setup`.

The Lambda API is ministack's: a real one to the SDKs, and its code URL can be downloaded.
"""

import contextlib
import io
import os
import socket
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import boto3

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
FUNCTIONS = [
    ("example-python", "python/app.py", "python3.11", "app.handler"),
    ("example-nodejs", "nodejs/index.mjs", "nodejs20.x", "index.handler"),
]
TIMEOUT, WORK = 3, 5


def package(source):
    """The zip that one would deploy."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(source, source.name)
    return buffer.getvalue()


@contextlib.contextmanager
def lambda_api():
    """A Lambda API on a free port, for as long as the block lasts; yields its URL."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [Path(sys.executable).with_name("ministack")]
    environment = os.environ | {"GATEWAY_PORT": str(port), "MINISTACK_HOST": "127.0.0.1"}
    server = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(600):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait()


def main(runner):
    credentials = {"AWS_ACCESS_KEY_ID": "example", "AWS_SECRET_ACCESS_KEY": "example", "AWS_REGION": "us-east-1"}
    os.environ |= credentials
    failed = False
    with lambda_api() as url:
        client = boto3.client("lambda", endpoint_url=url, region_name="us-east-1")
        for name, source, runtime, handler in FUNCTIONS:
            client.create_function(
                FunctionName=name, Runtime=runtime, Handler=handler, Timeout=TIMEOUT,
                Role="arn:aws:iam::123456789012:role/example", Code={"ZipFile": package(HERE / source)},
            )
            print(f"--- {name}: Timeout {TIMEOUT} s, works for {WORK} s", file=sys.stderr, flush=True)
            event = f'{{"seconds": {WORK}}}'
            run = subprocess.run(
                [runner, "invoke", name, "--event", event, "--runtime-dir", ROOT / ".runtimes"],
                env=os.environ | {"AWS_ENDPOINT_URL_LAMBDA": url}, stdout=subprocess.PIPE,
            )
            print(run.stdout.decode(), flush=True)
            failed |= run.returncode != 0
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
