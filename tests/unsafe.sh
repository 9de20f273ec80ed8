#!/bin/sh
# Counts `unsafe` where programs of ours have it: the one room that starts and ends processes, each block with its reason (which
# the compiler's lints want), and no more of them than are known here.
set -eu

allowed=runner/src/process/
most=7

cd "$(dirname "$0")/.."
found=$(grep -rnE '(^|[^_a-z])unsafe( |$)' --include='*.rs' ledger/src runner/src dispatcher/src | grep -vE ':[0-9]+: *//' || true)
elsewhere=$(printf '%s\n' "$found" | grep -v "^$allowed" | grep . || true)
count=$(printf '%s\n' "$found" | grep -c . || true)
if [ -n "$elsewhere" ] || [ "$count" -gt "$most" ]; then
    printf 'tests/unsafe.sh: expected at most %s unsafe blocks, all of them in %s, found %s:\n%s\n' "$most" "$allowed" "$count" "$found" >&2
    exit 1
fi
printf 'unsafe: %s blocks, all of them in %s\n' "$count" "$allowed"
