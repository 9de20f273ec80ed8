#!/bin/sh
# Makes sure that Rust can build a static binary here: the musl target, and a C compiler for it
# (the TLS library has C and assembly in it).
set -eu
target=$(uname -m)-unknown-linux-musl

fail() {
    printf 'runner/toolchain.sh: %s\n' "$*" >&2
    exit 1
}

command -v cargo >/dev/null || fail "cargo is not installed: install Rust 1.95 or later with rustup (https://rustup.rs)"
if [ ! -d "$(rustc --print sysroot)/lib/rustlib/$target" ]; then
    command -v rustup >/dev/null || fail "Rust's target $target is missing, and there is no rustup to add it"
    rustup target add "$target" || fail "rustup could not add the target $target"
fi
if ! command -v musl-gcc >/dev/null; then
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        fail "musl-gcc is missing: install Debian's package musl-tools"
    fi
    { apt-get update && apt-get install -y --no-install-recommends musl-tools; } >/dev/null || fail "apt-get could not install musl-tools"
fi
