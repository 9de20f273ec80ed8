#!/bin/sh
# Out of memory under cgroup v2, which most machines that build this have not: boots Debian's kernel in a virtual machine
# with the image immortal/python as its root, and runs a function there that is killed in six ways, each in a cgroup of
# its own with a limit. `tests/cgroup2.sh [RUNNER]`, after `make images BASE=debian`; RUNNER takes the place of the image's.
# As root on Debian it installs QEMU; the kernel is kept in IMMORTAL_CACHE. It needs no KVM, and takes some minutes.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
cache=${IMMORTAL_CACHE:-$(dirname "$here")/.cache}/cgroup2
runner=${1:-}

fail() {
    printf 'tests/cgroup2.sh: %s\n' "$*" >&2
    exit 1
}

command -v qemu-system-x86_64 >/dev/null || {
    [ "$(id -u)" = 0 ] || fail "needed and not installed: qemu-system-x86"
    { apt-get update && apt-get install -y --no-install-recommends qemu-system-x86; } >/dev/null || fail "apt-get could not install qemu-system-x86"
}
if ! [ -d "$cache/boot" ]; then
    mkdir -p "$cache"
    kernel=$(apt-cache depends linux-image-cloud-amd64 | awk '/Depends:/ { print $2; exit }')
    (cd "$cache" && apt-get download "$kernel" busybox-static >/dev/null 2>&1) || fail "apt-get could not download $kernel"
    for package in "$cache"/*.deb; do
        dpkg -x "$package" "$cache"
    done
fi

work=$(mktemp -d)
container=
clean() {
    [ -z "$container" ] || docker rm "$container" >/dev/null
    rm -rf "$work"
}
trap clean EXIT
mkdir "$work/root" "$work/root/function" "$work/root/tools"
container=$(docker create immortal/python) || fail "run \`make images BASE=debian\` first"
docker export "$container" | tar -x -C "$work/root"
[ -z "$runner" ] || cp "$runner" "$work/root/usr/local/bin/immortal-runner"
cp "$cache/bin/busybox" "$work/root/tools/busybox"
for tool in mount umount ip poweroff; do
    ln -s busybox "$work/root/tools/$tool"
done

cat >"$work/root/function/app.py" <<'END'
import os, signal, time
def hoard():
    held = []
    while True:
        held.append(bytearray(8 << 20))
def handler(event, context):
    if event == 'hoards':
        hoard()
    if event == 'killed':
        os.kill(os.getpid(), signal.SIGKILL)
    if event == 'files':
        with open('/tmp/large', 'wb') as file:
            for _ in range(50):
                file.write(bytes(1 << 20))
        os.kill(os.getpid(), signal.SIGKILL)
    if os.fork() == 0:
        hoard()
    status = os.wait()[1]
    if event == 'later':
        time.sleep(7)
        os.kill(os.getpid(), signal.SIGKILL)
    if event == 'leaves':
        os._exit(0)
    return os.WTERMSIG(status)
END

# A cgroup namespace makes the cgroup with the limit what is seen at /sys/fs/cgroup, as in containers.
cat >"$work/root/inside" <<'END'
#!/bin/sh
umount /sys/fs/cgroup
mount -t cgroup2 none /sys/fs/cgroup
exec immortal-runner invoke --code /function --runtime python3.11 --handler app.handler --event "\"$1\""
END
cat >"$work/root/init" <<'END'
#!/bin/sh
export PATH=/tools:/usr/local/bin:/usr/bin:/bin
mount -t proc none /proc
mount -t sysfs none /sys
mount -t devtmpfs none /dev
exec </dev/console >/dev/console 2>&1
mount -t cgroup2 none /sys/fs/cgroup
ip link set lo up
echo +memory >/sys/fs/cgroup/cgroup.subtree_control
for event in hoards killed files stays leaves later; do
    box=/sys/fs/cgroup/$event
    mkdir "$box"
    echo 96M >"$box/memory.max"
    rm -f /tmp/large
    sh -c 'echo $$ >"$0/cgroup.procs"; exec unshare -C -m /inside "$1" 2>&1' "$box" "$event" | sed "s/^/$event: /"
done
poweroff -f
END
chmod +x "$work/root/init" "$work/root/inside"
(cd "$work/root" && find . | "$cache/bin/busybox" cpio -o -H newc 2>/dev/null | gzip -1 >"$work/initrd")
timeout 600 qemu-system-x86_64 -accel tcg,thread=multi -cpu max -m 1500 -nographic -no-reboot -kernel "$cache"/boot/vmlinuz-* \
    -initrd "$work/initrd" -append "console=ttyS0 quiet panic=-1 rdinit=/init" </dev/null >"$work/log" 2>&1 || fail "$(tail -n 5 "$work/log")"

# What was said of an event, and whether it should have been.
failed=0
expect() {
    event=$1 wanted=$2 text=$3 found=no
    ! grep "^$event: " "$work/log" | grep -q "$text" || found=yes
    printf '%-7s %-60s %s\n' "$event" "$text" "$found"
    [ "$found" = "$wanted" ] || failed=1
}
for event in hoards killed files stays leaves later; do
    out=no told=yes
    case $event in
    hoards) out=yes ;;
    killed | files) told=no ;;
    esac
    expect "$event" "$out" "Error Type: Runtime.OutOfMemory"
    expect "$event" "$told" "has killed 1 process for want of memory"
done
[ "$failed" = 0 ] || fail "not as expected:
$(cat "$work/log")"
