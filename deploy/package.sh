#!/bin/sh
# Packs the dispatcher as a Lambda function (provided.al2023): DISPATCHER as `bootstrap` in dispatcher.zip beside it. The
# same binary gives the same bytes.
#
#   deploy/package.sh DISPATCHER [ZIP]
set -eu

dispatcher=${1:?usage: deploy/package.sh DISPATCHER [ZIP]}
zip=${2:-$(dirname -- "$dispatcher")/dispatcher.zip}

fail() {
    printf 'deploy/package.sh: %s\n' "$*" >&2
    exit 1
}
[ -x "$dispatcher" ] || fail "$dispatcher is no executable: run \"make build\" first"
command -v zip >/dev/null || fail "zip is not installed"

directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
install -m 755 "$dispatcher" "$directory/bootstrap"
touch -d @946684800 "$directory/bootstrap"
(cd "$directory" && TZ=UTC zip -q -X dispatcher.zip bootstrap)
mv "$directory/dispatcher.zip" "$zip"
printf '%s\n' "$zip"
