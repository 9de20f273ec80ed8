#!/bin/sh
# Makes sure that a Docker engine answers: installs Debian's and starts it where that is ours to do.
set -eu

fail() {
    printf 'images/docker.sh: %s\n' "$*" >&2
    exit 1
}

! docker info >/dev/null 2>&1 || exit 0
[ "$(id -u)" = 0 ] || fail "no Docker engine answers: start one (or add yourself to its group), then run this again"
if ! command -v dockerd >/dev/null; then
    command -v apt-get >/dev/null || fail "no Docker engine is installed, and there is no apt-get to install Debian's docker.io"
    { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends docker.io iptables; } >/dev/null ||
        fail "apt-get could not install docker.io"
fi
# A service manager may have started it by now.
if ! docker info >/dev/null 2>&1 && ! pgrep -x dockerd >/dev/null; then
    # What an engine that was killed leaves behind, and the next one takes for a living one.
    pgrep -x containerd >/dev/null || rm -f /var/run/docker.pid /var/run/docker/containerd/containerd.pid
    nohup dockerd >/var/log/immortal-dockerd.log 2>&1 </dev/null &
fi
for _ in $(seq 120); do
    ! docker info >/dev/null 2>&1 || exit 0
    sleep 0.5
done
tail -n 5 /var/log/immortal-dockerd.log >&2 || true
fail "dockerd was started and did not answer within 60 s; its last lines are above"
