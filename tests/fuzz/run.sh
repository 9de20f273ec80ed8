#!/bin/sh
# Runs one fuzz target: tests/fuzz/run.sh TARGET SECONDS. What it learns is kept in .cache/fuzz for the next run; an input
# that breaks a promise is written there too, and its path is printed.
set -eu

target=${1:-} seconds=${2:-900}
root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
cache=$root/.cache/fuzz
build=${CARGO_TARGET_DIR:-$root/target}/fuzz

fail() {
    printf 'tests/fuzz/run.sh: %s\n' "$*" >&2
    exit 1
}

[ -f "$root/tests/fuzz/targets/$target.rs" ] ||
    fail "no target '$target'; there are: $(cd "$root/tests/fuzz/targets" && printf '%s ' *.rs | sed 's/\.rs//g')"
command -v cargo-fuzz >/dev/null || cargo install --locked cargo-fuzz@0.13.2

# In memory: each input makes and removes files.
TMPDIR=$(mktemp -d "$([ -d /dev/shm ] && echo /dev/shm || echo /tmp)/fuzz.XXXXXX")
export TMPDIR
trap 'rm -rf "$TMPDIR"' EXIT
trap 'exit 130' INT TERM

mkdir -p "$cache/$target" "$cache/found"
cargo run --quiet --manifest-path "$root/tests/fuzz/Cargo.toml" --target-dir "$build" --example seeds "$TMPDIR/seeds"
set -- "$cache/$target" "$TMPDIR/seeds/$target"
# Archives from public test suites, where they are at hand; they are not ours to ship.
more=$root/../shared/data/archives/third_party/$target
[ ! -d "$more" ] || set -- "$@" "$more"

# Without a sanitizer, which needs no nightly compiler; the memory bound is libFuzzer's own.
cargo fuzz run --fuzz-dir "$root/tests/fuzz" --target-dir "$build" --sanitizer none "$target" "$@" -- \
    -max_total_time="$seconds" -rss_limit_mb=256 -timeout=10 -max_len=8192 -print_final_stats=1 \
    -artifact_prefix="$cache/found/$target-"
