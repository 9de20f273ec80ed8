"""Prints the project's figures as a table: `bench.py RUNNER [GROUP…]`, after `make setup build`.

Each figure stands beside its alternative's, measured in the same run, in turn; times are medians. Absolute times are
the machine's; the ratios are what to look at. Speed is never asserted: a goal that is not met is said, and that is all.
"""

import signal
import sys

import dispatch
import function
import images
import init
import ledger
import others
import serve
import start
import table
import telemetry
import unpack
import worker

GROUPS = {"start": start, "init": init, "ledger": ledger, "serve": serve, "telemetry": telemetry, "unpack": unpack, "others": others, "function": function, "images": images, "dispatch": dispatch, "worker": worker}


def main(runner, *names):
    unknown = [name for name in names if name not in GROUPS]
    if unknown:
        raise SystemExit(f"bench.py: expected of {', '.join(GROUPS)}; found {', '.join(unknown)}")
    # What lies on tmpfs is memory: it goes, however this ends.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    table.head()
    for name in names or GROUPS:
        GROUPS[name].figures(runner)
    table.foot()


if __name__ == "__main__":
    main(*sys.argv[1:])
