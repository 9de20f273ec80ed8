"""A failed invocation on its way through the dispatcher, on this machine: `dispatch.py DISPATCHER RUNNER`, after
`make setup`. Deploys a function with a Timeout of 3 s and a dead-letter queue, puts into the queue what Lambda puts
there when the function times out, and lets the dispatcher explain it, run it and deliver its outcome.

Lambda and SQS are ministack's; the launcher is `process`, the ledger a directory.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path

import boto3
from run import FUNCTIONS, HERE, ROOT, TIMEOUT, WORK, lambda_api, package

CONFIG = """\
ledger = "file://{directory}/ledger"
destinations = ["sqs:{done}"]

[[queue]]
url = "{failed}"
kind = "dead-letter"
function = "{name}"

[launch]
launcher = "process"

[process]
runner = "{runner}"
logs = "{directory}/logs"
"""


def message(event):
    """What Lambda puts into a dead-letter queue."""
    request = str(uuid.uuid4())
    text = f"RequestId: {request} Error: Task timed out after {TIMEOUT}.00 seconds"
    attributes = {
        "RequestID": {"DataType": "String", "StringValue": request},
        "ErrorCode": {"DataType": "Number", "StringValue": "200"},
        "ErrorMessage": {"DataType": "String", "StringValue": text},
    }
    return {"MessageBody": json.dumps(event), "MessageAttributes": attributes}


def say(text):
    print(f"--- {text}", file=sys.stderr, flush=True)


def outcome(sqs, queue):
    """The first record that arrives, within a minute."""
    for _ in range(30):
        found = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=2).get("Messages", [])
        if found:
            return json.loads(found[0]["Body"])
    raise SystemExit("no outcome has arrived within a minute")


def main(dispatcher, runner):
    name, source, runtime, handler = FUNCTIONS[0]
    os.environ |= {"AWS_ACCESS_KEY_ID": "example", "AWS_SECRET_ACCESS_KEY": "example", "AWS_REGION": "us-east-1"}
    with lambda_api() as url, tempfile.TemporaryDirectory() as directory:
        os.environ |= {"AWS_ENDPOINT_URL": url, "IMMORTAL_RUNTIME_DIR": str(ROOT / ".runtimes")}
        os.environ |= {"AWS_DEFAULT_REGION": "us-east-1", "IMMORTAL_CONFIG": f"{directory}/immortal.toml"}
        aws, sqs = boto3.client("lambda"), boto3.client("sqs")
        failed, done = (sqs.create_queue(QueueName=queue)["QueueUrl"] for queue in ("failed", "done"))
        aws.create_function(
            FunctionName=name, Runtime=runtime, Handler=handler, Timeout=TIMEOUT,
            Role="arn:aws:iam::123456789012:role/example", Code={"ZipFile": package(HERE / source)},
        )
        config = CONFIG.format(directory=directory, failed=failed, done=done, name=name, runner=Path(runner).resolve())
        Path(directory, "immortal.toml").write_text(config)
        sqs.send_message(QueueUrl=failed, **message({"seconds": WORK}))
        say(f"{name}: Timeout {TIMEOUT} s, would work for {WORK} s; its dead letter, explained:")
        [letter] = sqs.receive_message(
            QueueUrl=failed, MessageSystemAttributeNames=["All"], MessageAttributeNames=["All"], VisibilityTimeout=0,
        )["Messages"]
        subprocess.run([dispatcher, "explain", "-"], input=json.dumps(letter).encode(), check=True)
        say("served:")
        serving = subprocess.Popen([dispatcher, "serve"])
        try:
            record = outcome(sqs, done)
        finally:
            serving.terminate()
            serving.wait()
        say("its outcome:")
        print(json.dumps(record, indent=2), flush=True)
        time.sleep(0.5)  # the runner strikes the job off
        subprocess.run([dispatcher, "jobs", "--all"], check=True)
        return int(record["requestContext"]["condition"] != "Success")


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
