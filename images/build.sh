#!/bin/sh
# Builds the images around a runner binary.
#
#   images/build.sh RUNNER           on AWS's public base images
#   images/build.sh RUNNER debian    on Debian roots made here (images/debian.sh); needs no registry
#
# Makes immortal/python, immortal/nodejs and immortal/provided; on AWS's bases immortal/provided:al2 and :al2023 too.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
runner=${1:?usage: images/build.sh RUNNER [debian]}
base=${2:-aws}
[ -x "$runner" ] || { printf 'images/build.sh: %s is no executable: run "make build" first\n' "$runner" >&2; exit 1; }

context=$(mktemp -d)
trap 'rm -rf "$context"' EXIT
cp "$runner" "$context/immortal-runner"

# image TAG FAMILY [BASE_IMAGE]
image() {
    set -- "$1" "$2" ${3:+--build-arg "BASE_IMAGE=$3"}
    tag=$1 family=$2
    shift 2
    DOCKER_BUILDKIT=0 docker build --quiet --file "$here/$family/Dockerfile" --tag "$tag" "$@" "$context" >/dev/null
    printf '%s\n' "$tag"
}

case $base in
aws)
    for family in python nodejs provided; do image "immortal/$family" "$family"; done
    docker tag immortal/provided immortal/provided:al2023
    image immortal/provided:al2 provided public.ecr.aws/lambda/provided:al2
    ;;
debian)
    for family in python nodejs provided; do
        "$here/debian.sh" "$family"
        image "immortal/$family" "$family" "immortal-base/$family:debian"
    done
    ;;
*)
    printf 'images/build.sh: expected aws or debian as BASE, found %s\n' "$base" >&2
    exit 1
    ;;
esac
