#!/bin/sh
# Pushes images of several architectures to a registry, under one name: whoever pulls it gets the one for its machine.
#
#   images/index.sh REGISTRY/NAME:TAG IMAGE IMAGE...    IMAGE: one that images/build.sh has made, PLATFORM given
#
# Each is there by its own name too, NAME:TAG-ARCHITECTURE.
set -eu

fail() {
    printf 'images/index.sh: %s\n' "$*" >&2
    exit 1
}

[ $# -ge 2 ] || fail "expected REGISTRY/NAME:TAG and images"
reference=$1
shift
# Docker pushes to a registry of this machine without TLS unasked; its manifests it does not.
case $reference in localhost:* | 127.0.0.1:*) insecure=--insecure ;; *) insecure= ;; esac

names=
for image; do
    architecture=$(docker image inspect --format '{{.Architecture}}' "$image") || fail "there is no image $image: images/build.sh makes it"
    name=$reference-$architecture
    case " $names " in *" $name "*) fail "two images are for $architecture; PLATFORM=linux/arm64 images/build.sh ... builds one for another" ;; esac
    docker tag "$image" "$name"
    docker push --quiet "$name" >/dev/null || fail "$name could not be pushed"
    names="$names $name"
done
# What was known of this name is forgotten: it is made anew.
docker manifest rm "$reference" >/dev/null 2>&1 || true
# shellcheck disable=SC2086 # lists of words
docker manifest create $insecure "$reference" $names >/dev/null || fail "no index could be made of$names"
# shellcheck disable=SC2086
docker manifest push --purge $insecure "$reference" || fail "$reference could not be pushed"
