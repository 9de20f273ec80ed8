#!/bin/bash
# Stands for the runner: the same command line, environment and directory, but as PID 1 of a container.
# `IMMORTAL_RUNNER=tests/contained.sh cargo test -p e2e --test conformance` asks every check of it.
set -euo pipefail

variables=()
while IFS='=' read -r -d '' name _; do
    case $name in
    PATH | PWD | SHLVL | _ | HOME | TMPDIR) ;;
    *) variables+=(--env "$name") ;;
    esac
done < <(/usr/bin/env --null)
# The suites start it with an empty environment.
PATH=${PATH:-/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin}
export PATH
# As a careful task definition has it: of the image only what is mounted can be written.
exec docker run --rm --network host --read-only --security-opt no-new-privileges \
    --tmpfs /tmp:exec --tmpfs /var/task:exec --tmpfs /opt:exec --volume "$PWD:$PWD" --workdir "$PWD" "${variables[@]}" immortal/provided "$@"
