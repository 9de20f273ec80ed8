#!/bin/sh
# Writes the bill of materials of a program beside it: PROGRAM.cdx.json, CycloneDX, all crates that are compiled into it and
# those that took part in the build.
#
#   images/sbom.sh PROGRAM PACKAGE TARGET
set -eu

# Pinned.
cyclonedx=0.5.9

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
program=${1:?usage: images/sbom.sh PROGRAM PACKAGE TARGET}
package=${2:?}
target=${3:?}

fail() {
    printf 'images/sbom.sh: %s\n' "$*" >&2
    exit 1
}

command -v cargo-cyclonedx >/dev/null || cargo install --quiet --locked "cargo-cyclonedx@$cyclonedx" || fail "cargo could not install cargo-cyclonedx $cyclonedx"
# It writes one file into each folder of the workspace; the date is the source's, so that the file is the same each time.
made=$(basename "$program").cdx
trap 'rm -f "$root"/*/"$made.json"' EXIT
SOURCE_DATE_EPOCH=$(git -C "$root" log -1 --format=%ct 2>/dev/null || echo 0) \
    cargo cyclonedx --quiet --manifest-path "$root/$package/Cargo.toml" --target "$target" --format json --spec-version 1.5 --override-filename "$made" ||
    fail "cargo-cyclonedx failed"
# Paths of this machine mean nothing elsewhere.
sed "s|file://$root|file://|g" "$root/$package/$made.json" >"$program.cdx.json"
