#!/bin/sh
# Makes sure that what the tests and the example use is here: a Python environment (.venv) with a local Lambda API and
# AWS's SDK and CLI, cargo-lambda, npm packages, and a few small tools.
set -eu

# Pinned.
packages='ministack==1.5.33 boto3==1.43.11 awscli==1.46.3 cargo-lambda==1.9.2'
emulator=aws-sam-cli==1.170.0    # brings AWS's Runtime Interface Emulator
archiver=archiver@7.0.1    # what the Serverless Framework and many others make packages with
sdk=client-lambda@3.1164.0    # AWS's SDK for JavaScript, of which these are the Lambda calls

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
venv=$root/.venv
cache=${IMMORTAL_CACHE:-$root/.cache}

fail() {
    printf 'tests/setup.sh: %s\n' "$*" >&2
    exit 1
}

# The Debian package where it is not called as its command.
missing=
for tool in python3 node:nodejs npm curl zip unzip bsdtar:libarchive-tools tar zstd tini docker-registry; do
    command -v "${tool%%:*}" >/dev/null || missing="$missing ${tool#*:}"
done
if [ -n "$missing" ]; then
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        fail "needed and not installed:$missing"
    fi
    # shellcheck disable=SC2086 # a list of words
    { apt-get update && apt-get install -y --no-install-recommends $missing; } >/dev/null || fail "apt-get could not install:$missing"
fi

# npm_package NAME PACKAGE: puts a package into a directory of the cache, whole or not at all.
npm_package() {
    [ ! -d "$cache/$1/node_modules" ] || return 0
    rm -rf "$cache/$1.new"
    npm install --silent --no-audit --no-fund --prefix "$cache/$1.new" "$2" || fail "npm could not install $2"
    mv "$cache/$1.new" "$cache/$1"
}
npm_package "$archiver" "$archiver"
npm_package "$sdk" "@aws-sdk/$sdk"

# AWS's emulator, to compare with: a program within a package of AWS's on PyPI.
if [ ! -x "$cache/aws-lambda-rie" ] && [ "$(uname -m)" = x86_64 ]; then
    wheel=$(mktemp -d)
    python3 -m pip download --quiet --disable-pip-version-check --no-deps --dest "$wheel" "$emulator" ||
        fail "pip could not download $emulator"
    unzip -q -j "$wheel"/*.whl samcli/local/rapid/aws-lambda-rie-x86_64 -d "$wheel"
    mkdir -p "$cache"
    install -m 755 "$wheel/aws-lambda-rie-x86_64" "$cache/aws-lambda-rie"
    rm -rf "$wheel"
fi

[ "$(cat "$venv/.stamp" 2>/dev/null || true)" != "$packages" ] || exit 0
rm -rf "$venv"
python3 -m venv "$venv" || fail "python3 could not make a virtual environment: install Debian's package python3-venv"
# shellcheck disable=SC2086 # a list of words
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check $packages || fail "pip could not install: $packages"
printf '%s\n' "$packages" >"$venv/.stamp"
