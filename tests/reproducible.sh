#!/bin/bash
# Builds the programs once more, in another place, as another user, in another time zone and language, from files of another day
# and on one core, and compares them byte by byte with those that are there. The clock is the machine's: Debian's faketime and
# rustc do not get along.
#
#   tests/reproducible.sh TARGET DIRECTORY CARGO-OPTION...    DIRECTORY: what runner/build.sh TARGET CARGO-OPTION... has made
set -euo pipefail

target=${1:?usage: tests/reproducible.sh TARGET DIRECTORY CARGO-OPTION...}
first=$(cd "${2:?}" && pwd)
shift 2
root=$(cd "$(dirname "$0")/.." && pwd)

work=$(mktemp -d /var/tmp/somewhere-else-entirely.XXXXXX)
trap 'rm -rf "$work"' EXIT
mkdir "$work/source" "$work/home"
git -C "$root" ls-files -z --cached --others --exclude-standard | (cd "$root" && xargs -0 ls -d 2>/dev/null) |
    tar -C "$root" --create --files-from - | tar -C "$work/source" --extract
# The same crates, under another name.
ln -s "${CARGO_HOME:-$HOME/.cargo}/registry" "$work/home/registry"

find "$work/source" -exec touch --date 2001-02-03 {} +

echo "building again, as user 1234, in $work, on one core"
(cd "$work/source" &&
    env CARGO_HOME="$work/home" CARGO_TARGET_DIR="$work/target" CARGO_NET_OFFLINE=true RUSTUP_HOME="${RUSTUP_HOME:-$HOME/.rustup}" \
        TZ=Pacific/Chatham LANG=C LC_ALL=C USER=somebody HOME="$work/home" \
        unshare --user --map-user=1234 --map-group=1234 taskset --cpu-list 0 \
        runner/build.sh "$target" "$@")

compared=0
for program in "$work"/target/"$target"/*/immortal-*; do
    if [ ! -f "$program" ] || [ ! -x "$program" ]; then continue; fi
    name=$(basename "$program")
    (cd "$first" && sha256sum "$name") && (cd "$(dirname "$program")" && sha256sum "$name")
    cmp "$first/$name" "$program" || exit 1
    compared=$((compared + 1))
done
[ "$compared" -gt 0 ] || { echo "tests/reproducible.sh: nothing was built" >&2; exit 1; }
echo "$compared program(s): the same"
