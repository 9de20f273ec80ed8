#!/bin/sh
# Builds programs as they are shipped: static, with no path of this machine in them, and with the list of what they are made of
# (cargo-auditable). What comes out depends on the source and the compiler alone: `make reproducible` shows it.
#
#   runner/build.sh TARGET CARGO-OPTION...
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
target=${1:?usage: runner/build.sh TARGET CARGO-OPTION...}
shift
"$here/toolchain.sh" "$target"

name=$(printf '%s' "$target" | tr 'a-z-' 'A-Z_')
export "CARGO_TARGET_${name}_RUSTFLAGS=--remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=/cargo"
arch=${target%%-*}
# For another architecture: Debian's cross compiler, for the TLS library's assembly and to link.
if [ "$arch" != "$(uname -m)" ]; then
    export "CARGO_TARGET_${name}_LINKER=$arch-linux-gnu-gcc" "CC_$(printf '%s' "$target" | tr - _)=$arch-linux-gnu-gcc"
fi
exec cargo auditable build --locked --target "$target" "$@"
