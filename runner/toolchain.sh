#!/bin/sh
# Makes sure that Rust can build static binaries here: the musl target, a C compiler for it (the TLS library has C and
# assembly in it), and cargo-auditable.
#
#   runner/toolchain.sh [TARGET]    for this machine's architecture, unless another target is named
set -eu

# Pinned.
auditable=0.7.7

target=${1:-$(uname -m)-unknown-linux-musl}
arch=${target%%-*}

fail() {
    printf 'runner/toolchain.sh: %s\n' "$*" >&2
    exit 1
}

# need COMMAND PACKAGE...: installs Debian's packages where the command is missing, or says which they are.
need() {
    command=$1
    shift
    ! command -v "$command" >/dev/null || return 0
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        fail "$command is missing: install Debian's $*"
    fi
    { apt-get update && apt-get install -y --no-install-recommends "$@"; } >/dev/null || fail "apt-get could not install $*"
}

command -v cargo >/dev/null || fail "cargo is not installed: install Rust 1.95 or later with rustup (https://rustup.rs)"
if [ ! -d "$(rustc --print sysroot)/lib/rustlib/$target" ]; then
    command -v rustup >/dev/null || fail "Rust's target $target is missing, and there is no rustup to add it"
    rustup target add "$target" || fail "rustup could not add the target $target"
fi
if [ "$arch" = "$(uname -m)" ]; then
    need musl-gcc musl-tools
else
    # Debian writes x86-64 with a hyphen.
    debian=$(printf '%s' "$arch" | tr _ -)
    case $arch in aarch64) libc=libc6-dev-arm64-cross ;; x86_64) libc=libc6-dev-amd64-cross ;; *) fail "no cross compiler is known for $arch" ;; esac
    need "$arch-linux-gnu-gcc" "gcc-$debian-linux-gnu" "$libc"
fi
command -v cargo-auditable >/dev/null || cargo install --quiet --locked "cargo-auditable@$auditable" ||
    fail "cargo could not install cargo-auditable $auditable"
