"""What an init is asked by its child, inside a PID namespace: `orphans.py WHAT COUNT OUTPUT`. The answer is a line of numbers.

orphans: milliseconds until nothing is left of COUNT orphans that end at the same moment.
storm: most zombies seen during COUNT double forks, and how many are left a moment after the last.
leave: leaves COUNT processes that need half a second to end when they are asked to, and ends.
wait: does nothing until it is told to end; then says when.
"""

import os
import signal
import sys
import time


def below_init():
    """States of the processes whose parent is PID 1, without this one."""
    states = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            fields = open(f"/proc/{name}/stat").read().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if fields[1] == "1" and int(name) not in (1, os.getpid()):
            states.append(fields[0])
    return states


def answer(output, numbers):
    with open(output + ".part", "w") as file:
        file.write(" ".join(map(str, numbers)) + "\n")
    os.rename(output + ".part", output)


def orphans(count):
    reading, writing = os.pipe()
    middle = os.fork()
    if middle == 0:
        for _ in range(count):
            if os.fork() == 0:
                os.close(writing)
                os.read(reading, 1)
                os._exit(0)
        os._exit(0)
    os.close(reading)
    os.waitpid(middle, 0)
    while len(below_init()) < count:
        pass
    started = time.monotonic()
    os.close(writing)
    while below_init():
        pass
    return [(time.monotonic() - started) * 1e3]


def storm(count):
    most = 0
    for number in range(count):
        child = os.fork()
        if child == 0:
            if os.fork() == 0:
                os._exit(0)
            os._exit(0)
        os.waitpid(child, 0)
        if number % 500 == 0:
            most = max(most, below_init().count("Z"))
    time.sleep(0.01)
    return [most, below_init().count("Z")]


def leave(count, output):
    script = "trap 'sleep 0.5; echo ended >> \"$0\"; exit' TERM; echo up; while :; do sleep 0.05; done"
    reading, writing = os.pipe()
    for number in range(count):
        if os.fork() == 0:
            os.dup2(writing, 1)
            if number % 2:
                os.setsid()
            os.execvp("sh", ["sh", "-c", script, output])
    seen = b""
    while seen.count(b"up") < count:
        seen += os.read(reading, 4096)


def wait(output):
    def told(*_):
        answer(output, [time.monotonic()])
        os._exit(0)

    signal.signal(signal.SIGTERM, told)
    with open(output + ".ready", "w"):
        pass
    while True:
        signal.pause()


what, count, output = sys.argv[1], int(sys.argv[2]), sys.argv[3]
if what == "leave":
    leave(count, output)
elif what == "wait":
    wait(output)
else:
    numbers = {"orphans": orphans, "storm": storm}[what](count)
    answer(output, numbers)
    signal.pause()
