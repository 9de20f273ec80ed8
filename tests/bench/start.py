"""Owns the figures of starting: the binary, its memory, its own share of the time to the handler's first line."""

import contextlib
import os
import re
import shutil
import subprocess
from pathlib import Path

import table
from measure import SHM, first_line, in_turn
from packages import HANDLER, ROOT, one_file
from plane import RuntimeApi, served

ROUNDS = 15
SLEEPER = "import time\ndef handler(event, context):\n    print('running', flush=True)\n    time.sleep(60)\n"
PYTHON = "import time\ndef handler(event, context):\n    print('first', time.time_ns(), flush=True)\n"


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


@contextlib.contextmanager
def bare_runtime(language, code, handler):
    """Command and environment that start the runtime's client alone, its code in place."""
    task = SHM / f"task-{language}"
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


def invoke(runner, code, runtime, handler):
    arguments = ["invoke", "--code", code, "--runtime", runtime, "--handler", handler]
    return [runner, *arguments, "--runtime-dir", ROOT / ".runtimes"]


def memory(runner):
    """Resident memory of the supervisor while the handler runs, beside tini's around a sleep."""
    code = one_file("sleeper", "app.py", SLEEPER)
    ours = resident(invoke(runner, code, "python3.11", "app.handler"), "running")
    theirs = resident(["tini", "-s", "--", "sh", "-c", "echo running; sleep 60"], "running")
    table.row("memory of PID 1, handler running (all)", ours["VmRSS"], "MB", "tini", theirs["VmRSS"])
    table.row("… of which not shared with the binary's file", ours["RssAnon"], "MB", "tini", theirs["RssAnon"])


def start(runner, language, code, handler, runtime):
    """The runner's own share of the time to the handler's first line."""
    with bare_runtime(language, code, handler) as bare:
        times = in_turn({
            "ours": lambda: first_line(invoke(runner, code, runtime, handler), {}),
            "bare": lambda: first_line(*bare, wait=False),
        }, rounds=ROUNDS)
    table.row(f"{language}: start to first line", times["ours"], "ms", "bare runtime, trivial server", times["bare"])
    if table.known(times):
        table.row(f"{language}: the runner's own share", times["ours"] - times["bare"], "ms")


def figures(runner):
    table.row("static binary", Path(runner).stat().st_size / 1e6, "MB")
    memory(runner)
    start(runner, "python", one_file("python", "app.py", PYTHON), "app.handler", "python3.11")
    start(runner, "nodejs", one_file("nodejs", "index.js", HANDLER), "index.handler", "nodejs20.x")
