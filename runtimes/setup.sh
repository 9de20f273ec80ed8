#!/bin/sh
# Fills the runtime directories. Each stands for AWS's /var/runtime of one language: AWS's own runtime interface client
# and our bootstrap, for the interpreter that is installed here.
#
#   runtimes/setup.sh [DEST]    makes DEST/python and DEST/nodejs; DEST is .runtimes at the root of the repository
#                               unless given. What is in place is left as it is; an interrupted run leaves nothing.
set -eu
umask 022

# Pinned. Python's are in python/requirements.txt.
client=aws-lambda-ric@3.3.0
addon_api=node-addon-api@6.1.0    # headers that the client's native part is compiled with
node_headers=node-api-headers@1.9.0

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
mkdir -p "${1:-$here/../.runtimes}"
dest=$(CDPATH='' cd -- "${1:-$here/../.runtimes}" && pwd)
log=$dest/setup.log

fail() {
    printf 'runtimes/setup.sh: %s\n' "$*" >&2
    exit 1
}

# need PACKAGE:COMMAND...: installs the Debian packages whose commands are missing, or says which they are.
need() {
    missing=
    for pair in "$@"; do
        command -v "${pair#*:}" >/dev/null || missing="$missing ${pair%%:*}"
    done
    [ -n "$missing" ] || return 0
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        fail "needed and not installed:$missing. Install them (these are the Debian names), then run this again"
    fi
    # shellcheck disable=SC2086 # a list of words
    quietly "installing$missing" install_packages $missing
}

install_packages() {
    apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@"
}

# quietly WHAT COMMAND...: what it prints goes to the log, whose end is shown if it fails.
quietly() {
    what=$1
    shift
    printf 'runtimes/setup.sh: %s\n' "$what" >&2
    "$@" >"$log" 2>&1 && return
    tail -n 20 "$log" >&2
    fail "$what failed; its last lines are above, all of them in $log"
}

# in_place NAME STAMP: whether DEST/NAME was finished for this very STAMP.
in_place() {
    [ -f "$dest/$1/.stamp" ] && [ "$(cat "$dest/$1/.stamp")" = "$2" ]
}

# publish NAME STAMP: what was built takes its place at once.
publish() {
    printf '%s\n' "$2" >"$new/$1/.stamp"
    [ ! -d "$dest/$1" ] || mv "$dest/$1" "$new/old-$1"
    mv "$new/$1" "$dest/$1"
}

# refresh MODE FILE TARGET: our own files are cheap to copy, so they are copied whenever they differ.
refresh() {
    cmp -s "$2" "$3" && return
    cp "$2" "$3.new"
    chmod "$1" "$3.new"
    mv "$3.new" "$3"
}

python_runtime() {
    need python3:python3
    # Not the shim, virtual environment or link that was found on PATH: the interpreter behind it.
    interpreter=$(python3 -c 'import os, sys; print(os.path.realpath(sys._base_executable), sys.version.split()[0])')
    stamp=$(echo "$interpreter" && cat "$here/python/requirements.txt")
    if ! in_place python "$stamp"; then
        python3 -m pip --version >/dev/null 2>&1 || need python3-pip:pip3
        quietly "installing AWS's client for Python ${interpreter##* } (it needs 3.10 or newer)" \
            python3 -m pip install --no-deps --only-binary :all: --target "$new/python" -r "$here/python/requirements.txt"
        # A virtual environment of its own, so that what is installed here for other purposes stays unseen.
        quietly "making a virtual environment" "${interpreter% *}" -m venv --without-pip --symlinks "$new/python/.lang"
        publish python "$stamp"
    fi
    refresh 755 "$here/python/bootstrap" "$dest/python/bootstrap"
    refresh 644 "$here/python/bootstrap.py" "$dest/python/bootstrap.py"
}

nodejs_runtime() {
    need nodejs:node
    stamp="$client $addon_api $node_headers $(uname -m)"
    if ! in_place nodejs "$stamp"; then
        need npm:npm g++:g++ make:make cmake:cmake autoconf:autoconf automake:automake libtool:libtoolize
        quietly "downloading AWS's client for Node.js" \
            npm pack --pack-destination "$new" "$client" "$addon_api" "$node_headers"
        for package in "$client" "$addon_api" "$node_headers"; do
            mkdir "$new/${package%@*}"
            tar -xzf "$new/${package%@*}-${package#*@}.tgz" -C "$new/${package%@*}" --strip-components 1
        done
        quietly "compiling AWS's client for Node.js, which takes minutes" compile_client
        mkdir -p "$new/nodejs/.lang/bin"
        cp "$new/${client%@*}/LICENSE" "$new/${client%@*}/NOTICE" "$new/${client%@*}/THIRD-PARTY-LICENSES" \
            "$new/${client%@*}/rapid-client.node" "$new/nodejs/"
        cp "$new/${client%@*}/dist/index.mjs" "$new/nodejs/.client.mjs"
        publish nodejs "$stamp"
    fi
    interpreter=$(node -p process.execPath) # not the shim or link that was found on PATH
    ln -sfn "$interpreter" "$dest/nodejs/.lang/bin/node"
    refresh 755 "$here/nodejs/bootstrap" "$dest/nodejs/bootstrap"
    cat "$dest/nodejs/.client.mjs" "$here/nodejs/start.mjs" >"$new/index.mjs"
    refresh 644 "$new/index.mjs" "$dest/nodejs/index.mjs"
}

# The client's own script builds its libraries. Its last step, node-gyp, is replaced by the one command it comes down
# to: node-gyp wants a Python before 3.12 and downloads headers that this does not need (the addon speaks Node-API,
# which is the same in every Node.js; it includes three headers more and uses nothing of them).
compile_client() (
    cd "$new/${client%@*}" &&
        MAKEFLAGS=-j$(nproc) ./scripts/preinstall.sh &&
        mkdir unused && touch unused/node.h unused/uv.h unused/v8.h &&
        g++ -shared -fPIC -O2 -s -static-libgcc -static-libstdc++ src/rapid-client.cc -o rapid-client.node \
            -I"$new/${addon_api%@*}" -I"$new/${node_headers%@*}/include" -Iunused -Ideps/artifacts/include \
            -Ldeps/artifacts/lib -laws-lambda-runtime -lcurl &&
        AWS_LAMBDA_RUNTIME_API=127.0.0.1:9 node -e 'require("./rapid-client.node")'
)

exec 9>"$dest/.lock"
flock 9 # one at a time
rm -rf "$dest"/.new.*
new=$(mktemp -d "$dest/.new.XXXXXX")
trap 'rm -rf "$new"' EXIT
trap 'exit 1' HUP INT TERM

python_runtime
nodejs_runtime
