"""Owns the figures of the dispatcher: messages a second from a queue to a launch, against SQS, Lambda and ECS that answer
at once (ECS after 5 ms), at different backlogs; its memory; what it asks of Lambda; how long a message takes to its launch,
alone and beside others that nobody understands. It runs against a server in a process of its own, so that they do not
share an interpreter."""

import asyncio
import json
import multiprocessing
import os
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import table
from measure import wait_until_quiet

BACKLOGS = [1, 1_000, 100_000]
# Of a larger backlog so many are dispatched: what is measured is whether the rest is in the way.
MOST = 3_000
# So many messages are timed, which come one after the other.
TIMED, APART = 1_000, 0.01
POISON = ["no JSON at all", '{"immortal":1}', "[" * 5_000 + "]" * 5_000, '{"detail":"whose event is this?"}']
QUEUE = "123456789012/failed"
ARN = "arn:aws:lambda:eu-west-1:123456789012:function:resize"
CONFIG = """\
ledger = "file://{directory}/ledger"
[[queue]]
url = "http://127.0.0.1:{port}/123456789012/failed"
[launch]
launcher = "ecs"
rate = 100000.0
burst = 100000
[ecs]
subnets = ["subnet-1"]
[serve]
every = "1h"
"""


class Aws:
    """Queue, control plane and cluster, behind one port."""

    def __init__(self, backlog, counts, times=None, poison=()):
        self.backlog, self.next, self.counts = backlog, 0, counts
        self.times, self.poison = times, poison

    async def answer(self, operation, path, body):
        if path.startswith("/2015-03-31/functions"):
            self.counts[1] += 1
            function = {
                "FunctionName": "resize", "FunctionArn": ARN, "Runtime": "python3.13", "MemorySize": 1769,
                "Role": "arn:aws:iam::123456789012:role/r", "Version": "$LATEST", "Timeout": 900,
            }
            return {"Configuration": function, "Code": {}}
        if operation == "ReceiveMessage":
            return await self.receive(json.loads(body)["MaxNumberOfMessages"])
        if operation == "RunTask":
            if self.times:
                number = int(json.loads(body)["startedBy"].split("/")[1].removeprefix("job-"))
                self.times[number] = time.monotonic() - self.times[number]
            await asyncio.sleep(0.005)
            self.counts[2] += 1
            return {"tasks": [{"taskArn": f"arn:aws:ecs:eu-west-1:123456789012:task/c/{self.counts[2]}"}], "failures": []}
        if operation.endswith("MessageBatch") or operation.endswith("VisibilityBatch"):
            entries = json.loads(body)["Entries"]
            self.counts[0] += len(entries) if operation == "DeleteMessageBatch" else 0
            return {"Successful": [{"Id": entry["Id"]} for entry in entries], "Failed": []}
        return {"Attributes": {"QueueArn": "arn:aws:sqs:eu-west-1:123456789012:failed"}}

    async def receive(self, most):
        if self.next >= self.backlog:
            await asyncio.sleep(1)
            return {}
        if self.times:
            await asyncio.sleep(APART)
            most = 1
        numbers = range(self.next, min(self.next + most, self.backlog))
        self.next += len(numbers)
        body = '{{"immortal":1,"id":"job-{0}","function":"resize","event":{{"n":{0}}}}}'
        bodies = {f"m-{n}": body.format(n) for n in numbers}
        if self.times:
            self.times[numbers[0]] = time.monotonic()
            bodies |= {f"p-{n}": self.poison[n % len(self.poison)] for n in numbers if self.poison}
        return {"Messages": [{"MessageId": name, "ReceiptHandle": name, "Body": body} for name, body in bodies.items()]}

    async def serve(self, reader, writer):
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                lines = head.decode().split("\r\n")
                headers = dict(line.lower().split(": ", 1) for line in lines[1:] if ": " in line)
                target = next((line.split(".")[-1] for line in lines if line.lower().startswith("x-amz-target")), "")
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                text = json.dumps(await self.answer(target, lines[0].split(" ")[1], body)).encode()
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: %d\r\n\r\n" % len(text) + text)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()


def aws(port, *arguments):
    async def run():
        server = await asyncio.start_server(Aws(*arguments).serve, "127.0.0.1", 0)
        port.put(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(run())


def memory(pid):
    """High-water mark, MB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) / 1024


def measured(dispatcher, backlog, times=None, poison=()):
    """Messages a second, memory, questions to Lambda."""
    counts, queue = multiprocessing.Array("l", 3), multiprocessing.Queue()
    server = multiprocessing.Process(target=aws, args=(queue, backlog, counts, times, poison), daemon=True)
    server.start()
    port, most = queue.get(), min(backlog, MOST) * (2 if poison else 1)
    shared = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=shared) as directory:
        config = Path(directory, "immortal.toml")
        config.write_text(CONFIG.format(directory=directory, port=port))
        environment = {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}", "AWS_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "x",
            "AWS_SECRET_ACCESS_KEY": "x", "IMMORTAL_LOG": "error",
        }
        began = time.monotonic()
        process = subprocess.Popen([dispatcher, "serve", "--config", config], env=environment)
        try:
            while counts[0] < most:
                if process.poll() is not None:
                    raise SystemExit(f"the dispatcher has ended with {process.returncode}")
                time.sleep(0.001)
            took, used = time.monotonic() - began, memory(process.pid)
        finally:
            process.kill()
            process.wait()
            server.kill()
            server.join()
    return most / took, used, counts[1], took


def launched(dispatcher, poison):
    """From a message to its launch, p50, ms."""
    wait_until_quiet()
    times = multiprocessing.Array("d", TIMED)
    measured(dispatcher, TIMED, times, poison)
    return statistics.median(times) * 1000


def figures(runner):
    dispatcher = Path(runner).with_name("immortal-dispatcher")
    for backlog in BACKLOGS:
        wait_until_quiet()
        rate, used, questions, took = measured(dispatcher, backlog)
        name = f"dispatcher, a backlog of {backlog:,}"
        if backlog == 1:
            table.row(f"{name}: from its start to the message deleted", took * 1000, "ms")
        else:
            table.row(f"{name}: messages dispatched", rate, "/s")
        table.bound(f"{name}: memory", used, "MB", 48)
        table.bound(f"{name}: questions to Lambda", questions, "", 1)
    alone, among = (launched(dispatcher, poison) for poison in ((), POISON))
    table.row("dispatcher, from a message to its launch, among as many that nobody understands: p50", among, "ms", "alone", alone, 1.2)
