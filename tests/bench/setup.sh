#!/bin/sh
# Makes sure that what the figures are measured beside is here: Debian's tools for archives and images, ripunzip, and a
# Debian root for the image.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
root=$(dirname "$(dirname "$here")")
cache=${IMMORTAL_CACHE:-$root/.cache}

# Pinned.
ripunzip=2.0.3

fail() {
    printf 'tests/bench/setup.sh: %s\n' "$*" >&2
    exit 1
}

missing=
for pair in libarchive-tools:bsdtar skopeo:skopeo umoci:umoci docker-registry:docker-registry zip:zip unzip:unzip curl:curl time:/usr/bin/time tini:tini dumb-init:dumb-init catatonit:catatonit; do
    command -v "${pair#*:}" >/dev/null || missing="$missing ${pair%%:*}"
done
if [ -n "$missing" ]; then
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        fail "needed and not installed:$missing"
    fi
    # shellcheck disable=SC2086 # a list of words
    { apt-get update && apt-get install -y --no-install-recommends $missing; } >/dev/null || fail "apt-get could not install:$missing"
fi

# A program that cannot be built leaves its rows empty: bench.py says so.
if [ ! -x "$cache/bench/ripunzip/bin/ripunzip" ]; then
    mkdir -p "$cache/bench"
    cargo install --quiet --locked --root "$cache/bench/ripunzip" "ripunzip@$ripunzip" ||
        printf 'tests/bench/setup.sh: ripunzip %s could not be built; its rows are skipped\n' "$ripunzip" >&2
fi

if ! ls "$cache"/base-python-*.tar >/dev/null 2>&1; then
    "$root/images/docker.sh"
    "$root/images/debian.sh" python
fi
