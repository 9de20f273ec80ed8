"""What boto3 makes of the front door: boto.py ENDPOINT NOTES, where NOTES is a file that the function may write.

Prints nothing and succeeds, or fails with the first expectation that does not hold. The function is
tests/fixtures/python/served.py.
"""

import base64
import json
import sys
import threading
import time

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

ENDPOINT, NOTES = sys.argv[1:]
ARN = "arn:aws:lambda:eu-west-1:123456789012:function:any-name"
once = {"total_max_attempts": 1}
client = boto3.client(
    "lambda",
    endpoint_url=ENDPOINT,
    region_name="eu-west-1",
    aws_access_key_id="none",
    aws_secret_access_key="none",
    config=Config(retries=once, read_timeout=60, max_pool_connections=64),
)


def invoke(event, **more):
    return client.invoke(**{"FunctionName": "any-name", "Payload": json.dumps(event), **more})


def answer(response):
    assert response["StatusCode"] == 200, response
    return json.loads(response["Payload"].read())


def equal(found, expected):
    assert found == expected, f"found {found!r}, expected {expected!r}"


def refused(code, status, call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        equal(error.response["Error"]["Code"], code)
        equal(error.response["ResponseMetadata"]["HTTPStatusCode"], status)
        assert error.response["Error"]["Message"], error.response
        return error.response
    raise AssertionError(f"expected {code}")


def noted(lines):
    """Waits until the function has written so many lines."""
    while True:
        try:
            with open(NOTES, encoding="utf-8") as notes:
                found = notes.read().split()
        except FileNotFoundError:
            found = []
        if len(found) >= lines:
            return found
        time.sleep(0.02)


def waiting():
    response = invoke({"a": [1, "é"]})
    equal(response["ExecutedVersion"], "$LATEST")
    assert "FunctionError" not in response and "LogResult" not in response, response
    found = answer(response)
    equal(found["event"], {"a": [1, "é"]})
    equal(found["request_id"], response["ResponseMetadata"]["RequestId"])
    equal(found["custom"], None)


def names():
    for name, more, arn in [
        (ARN, {}, ARN),
        (ARN, {"Qualifier": "7"}, ARN + ":7"),
        (ARN + ":live", {}, ARN + ":live"),
    ]:
        equal(answer(invoke(1, FunctionName=name, **more))["arn"], arn)
    assert answer(invoke(1, FunctionName="function", Qualifier="$LATEST"))["arn"].endswith(":$LATEST")
    refused(
        "InvalidParameterValueException", 400, invoke, event=1, FunctionName=ARN + ":a", Qualifier="b"
    )


def context():
    encoded = base64.b64encode(json.dumps({"custom": {"k": "v"}}).encode()).decode()
    equal(answer(invoke(1, ClientContext=encoded))["custom"], {"k": "v"})
    refused("InvalidRequestContentException", 400, invoke, event=1, ClientContext="?")


def log():
    response = invoke(1, LogType="Tail")
    text = base64.b64decode(response["LogResult"]).decode()
    assert "START RequestId: " in text and "on stdout" in text and "REPORT RequestId: " in text, text


def errors():
    response = invoke({"do": "fail"})
    equal(response["FunctionError"], "Unhandled")
    error = answer(response)
    equal((error["errorType"], error["errorMessage"]), ("ValueError", "boom"))
    response = invoke({"do": "exit"})
    equal((response["FunctionError"], answer(response)["errorType"]), ("Unhandled", "Runtime.ExitError"))
    equal(answer(invoke(2))["event"], 2)


def refusals():
    text = refused("InvalidRequestContentException", 400, client.invoke, FunctionName="f", Payload="{")
    assert text["Error"]["Message"].startswith("Could not parse request body into json: "), text
    refused("ValidationException", 400, invoke, event=1, InvocationType="Sometimes")
    refused("ResourceNotFoundException", 404, client.list_functions)
    refused("ResourceNotFoundException", 404, client.get_function, FunctionName="f")


def later():
    note = {"do": "note", "file": NOTES}
    response = invoke(note, InvocationType="Event")
    equal((response["StatusCode"], response["Payload"].read()), (202, b""))
    equal(noted(1)[0], response["ResponseMetadata"]["RequestId"])
    response = client.invoke_async(FunctionName="f", InvokeArgs=json.dumps(note))
    equal(response["Status"], 202)
    equal(len(noted(2)), 2)
    equal(invoke(note, InvocationType="DryRun")["StatusCode"], 204)
    equal(answer(invoke(3))["event"], 3)
    equal(len(noted(2)), 2)


def large():
    event = "x" * (7 << 20)
    equal(len(answer(invoke(event))["event"]), len(event))
    equal(len(answer(invoke({"do": "large", "bytes": 20 << 20}))), 20 << 20)


def streams():
    def stream(event):
        response = client.invoke_with_response_stream(
            FunctionName="f", Payload=json.dumps(event), LogType="Tail"
        )
        equal(response["ExecutedVersion"], "$LATEST")
        chunks, end = b"", None
        for part in response["EventStream"]:
            chunks += part.get("PayloadChunk", {}).get("Payload", b"")
            end = part.get("InvokeComplete", end)
        return chunks, end

    chunks, end = stream(4)
    equal(json.loads(chunks)["event"], 4)
    assert "ErrorCode" not in end and base64.b64decode(end["LogResult"]), end
    chunks, end = stream({"do": "fail"})
    equal((chunks, end["ErrorCode"]), (b"", "Unhandled"))
    equal(json.loads(end["ErrorDetails"])["errorType"], "ValueError")
    equal(len(stream({"do": "large", "bytes": 20 << 20})[0]), (20 << 20) + 2)


def parallel(callers):
    failed = []

    def call(number):
        try:
            for turn in range(3):
                equal(answer(invoke([number, turn]))["event"], [number, turn])
        except Exception as error:  # pylint: disable=broad-except
            failed.append(error)

    threads = [threading.Thread(target=call, args=(number,)) for number in range(callers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    equal(failed, [])


for check in [waiting, names, context, log, errors, refusals, later, large, streams]:
    check()
for callers in [1, 8, 64]:
    parallel(callers)
