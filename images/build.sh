#!/bin/sh
# Builds the images around a runner binary.
#
#   images/build.sh RUNNER [aws]                the newest runtime of each family, on AWS's public base images
#   images/build.sh RUNNER aws IDENTIFIER...    these runtimes (Lambda's identifiers; all: every one that has a base image)
#   images/build.sh RUNNER debian [FAMILY...]   on Debian roots made here (images/debian.sh); needs no registry
#   images/build.sh RUNNER on BASE TAG          on an image of your own
#
# Makes immortal/FAMILY:VERSION, and immortal/FAMILY, which is the last of the family that was named. NAME takes the place of
# `immortal`; BASES that of AWS's registry, `public.ecr.aws/lambda`, where that is mirrored. PLATFORM=linux/arm64 makes
# those for that architecture, immortal/FAMILY:VERSION-arm64: RUNNER is then its binary, and LIST one that runs here and lists the
# runtimes; images/index.sh puts both under one name. The runner is one layer, whose digest depends on the binary alone (and on the
# bill of materials beside it, RUNNER.cdx.json, where there is one).
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
runner=${1:?usage: images/build.sh RUNNER [aws|debian|on] ...}
base=${2:-aws}
[ $# -lt 2 ] || shift
shift
list=${LIST:-$runner}
name=${NAME:-immortal}
bases=${BASES:-public.ecr.aws/lambda}

fail() {
    printf 'images/build.sh: %s\n' "$*" >&2
    exit 1
}
[ -x "$runner" ] || fail "$runner is no executable: run \"make build\" first"

context=$(mktemp -d)
trap 'rm -rf "$context"' EXIT
# Directories and times are given, so that the layer is the same wherever and whenever it is built.
mkdir -p "$context/root/usr/local/bin" "$context/root/usr/local/share/immortal-lambda"
install -m 755 "$runner" "$context/root/usr/local/bin/immortal-runner"
[ ! -f "$runner.cdx.json" ] || install -m 644 "$runner.cdx.json" "$context/root/usr/local/share/immortal-lambda/immortal-runner.cdx.json"
find "$context/root" -type d -exec chmod 755 {} +
tar --create --file "$context/runner.tar" --directory "$context/root" --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner \
    --format=gnu usr
rm -r "$context/root"
version=$("$list" --version | cut -d' ' -f2)
revision=$(git -C "$here" rev-parse HEAD 2>/dev/null || true)

# Docker's older builder is in every engine; for another architecture it writes down that of this machine.
if [ -n "${PLATFORM:-}" ]; then
    docker buildx version >/dev/null 2>&1 || fail "images for $PLATFORM need Docker's buildx: install the plugin docker-buildx"
    builder="buildx build --load --platform $PLATFORM"
else
    builder=build
    export DOCKER_BUILDKIT=0
fi

# image TAG BASE_IMAGE
image() {
    # shellcheck disable=SC2086 # a list of words
    docker $builder --quiet --no-cache --file "$here/Dockerfile" --tag "$1" --build-arg "BASE_IMAGE=$2" \
        --build-arg "VERSION=$version" --build-arg "REVISION=$revision" "$context" >/dev/null 2>"$context.log" ||
        { cat "$context.log" >&2; rm -f "$context.log"; fail "$1 could not be built on $2"; }
    rm -f "$context.log"
    printf '%s\n' "$1"
}

# On AWS's bases: what the table has for an identifier.
on_aws() {
    line=$("$list" runtimes | grep "^$1	") || fail "runtime $1 is not known; \"$list runtimes\" lists those that are"
    family=$(printf '%s' "$line" | cut -f2)
    from=$(printf '%s' "$line" | cut -f3)
    [ "$from" != - ] || fail "AWS has no base image for $1: images/build.sh RUNNER on BASE TAG builds on one of yours"
    tag=${from##*:}${PLATFORM:+-${PLATFORM##*/}}
    image "$name/$family:$tag" "$bases/${from##*/}"
    [ -n "${PLATFORM:-}" ] || docker tag "$name/$family:$tag" "$name/$family"
}

# shellcheck disable=SC2046 # identifiers are words
case $base in
aws)
    # The newest is the last line of its family that has an image.
    newest() { "$list" runtimes | awk -F '\t' '$3 != "-" { last[$2] = $1 } END { for (family in last) print last[family] }' | sort; }
    every() { "$list" runtimes | awk -F '\t' '$3 != "-" { print $1 }'; }
    case ${1:-} in
    '') set -- $(newest) ;;
    all) set -- $(every) ;;
    esac
    for identifier; do on_aws "$identifier"; done
    ;;
debian)
    [ -z "${PLATFORM:-}" ] || fail "Debian roots are made for the architecture of this machine alone"
    [ $# -gt 0 ] || set -- python nodejs java provided
    for family; do
        "$here/debian.sh" "$family"
        image "$name/$family" "immortal-base/$family:debian"
    done
    ;;
on)
    [ $# = 2 ] || fail "expected BASE and TAG after \"on\""
    image "$2" "$1"
    ;;
*)
    fail "expected aws, debian or on, found $base"
    ;;
esac
