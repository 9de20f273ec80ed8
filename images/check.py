"""Checks what an image of ours adds to its base: `check.py IMAGE RUNNER`. Prints the figures; ends with 1 where one is not as promised.

One layer with one static program (and its bill of materials), owned by root, nobody's set-user-id, no shell, no cache; labels; no
more than 15 MB, 12 MB compressed. What the program and the bill of materials say it is made of is all that Cargo resolves.
"""

import json
import platform
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import zlib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = "usr/local/bin/immortal-runner"
BILL = "usr/local/share/immortal-lambda/immortal-runner.cdx.json"
LARGEST, LARGEST_COMPRESSED = 15_000_000, 12_000_000
LABELS = ["title", "description", "licenses", "version", "revision", "base.name"]


def output(*command):
    return subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout


def last_layer(image, work):
    """The tar of the image's last layer: ours."""
    saved = work / "image.tar"
    output("docker", "save", "--output", str(saved), image)
    with tarfile.open(saved) as archive:
        name = json.load(archive.extractfile("manifest.json"))[0]["Layers"][-1]
        return archive.extractfile(name).read()


def crates_of(program, machine):
    """What cargo-auditable has put into the program; nothing where it was not asked."""
    section = Path(program + ".crates")
    objcopy = "objcopy" if machine == platform.machine() else f"{machine}-linux-gnu-objcopy"
    done = subprocess.run([objcopy, "--dump-section", f".dep-v0={section}", program, program + ".copy"], stderr=subprocess.DEVNULL)
    if done.returncode or not section.exists():
        return set()
    section = section.read_bytes()
    return {(it["name"], it["version"]) for it in json.loads(zlib.decompress(section))["packages"]}


def crates_of_bill(text):
    bill = json.loads(text)
    return {(it["name"], it["version"]) for it in [*bill["components"], bill["metadata"]["component"]]}


def resolved(machine, edges):
    """What Cargo resolves for the runner by itself."""
    options = ["--locked", "--package", "runner", "--target", f"{machine}-unknown-linux-musl", "--prefix", "none", "--format", "{p}"]
    lines = output("cargo", "tree", "--manifest-path", str(ROOT / "Cargo.toml"), "--edges", edges, *options).decode()
    return {(line.split()[0], line.split()[1].removeprefix("v")) for line in lines.splitlines() if line}


def main(image, runner):
    problems = []

    def check(held, problem):
        if not held:
            problems.append(problem)

    with tempfile.TemporaryDirectory() as work:
        layer = last_layer(image, Path(work))
        path = Path(work) / "layer.tar"
        path.write_bytes(layer)
        with tarfile.open(path) as archive:
            entries = archive.getmembers()
            files = {it.name: archive.extractfile(it).read() for it in entries if it.isfile()}
        program = Path(work) / "program"
        program.write_bytes(files.get(PROGRAM, b""))
        headers = output("readelf", "--file-header", "--dynamic", "--program-headers", "--wide", str(program)).decode()
        machine = "aarch64" if "AArch64" in headers else "x86_64"
        made_of = crates_of(str(program), machine)
    linked, all_of_it = (resolved(machine, edges) for edges in ["normal", "normal,build"])
    # The lists have a few crates more: those that features of other members would bring.
    locked = {(it["name"], it["version"]) for it in tomllib.loads((ROOT / "Cargo.lock").read_text())["package"]}
    compressed = len(zlib.compress(layer, 6))

    extra = set(files) - {PROGRAM, BILL}
    check(PROGRAM in files and not extra, f"expected one program and its bill of materials, found {sorted(files)}")
    check(files.get(PROGRAM) == Path(runner).read_bytes(), f"{PROGRAM} is not {runner}")
    check(all(it.isfile() or it.isdir() for it in entries), "expected files and directories only")
    check(all(it.uid == it.gid == it.mtime == 0 and not it.mode & 0o7022 for it in entries), "expected root's, nobody else's to write, no times, no set-user-id")
    check("NEEDED" not in headers and "INTERP" not in headers, f"{PROGRAM} is not static")
    check(len(layer) <= LARGEST, f"expected at most {LARGEST} bytes, found {len(layer)}")
    check(compressed <= LARGEST_COMPRESSED, f"expected at most {LARGEST_COMPRESSED} bytes compressed, found {compressed}")
    labels = json.loads(output("docker", "image", "inspect", "--format", "{{json .Config.Labels}}", image))
    for label in LABELS:
        check(labels.get(f"org.opencontainers.image.{label}"), f"expected a label org.opencontainers.image.{label}")
    lists = {"the program's own list": made_of}
    if BILL in files:
        lists["the bill of materials"] = crates_of_bill(files[BILL])
    for what, listed in lists.items():
        check(all_of_it <= listed, f"{what} lacks {sorted(all_of_it - listed)}")
        check(listed <= locked, f"{what} has what Cargo.lock has not: {sorted(listed - locked)}")

    print(f"{image}: adds {len(files)} file(s), {len(layer) / 1e6:.1f} MB, {compressed / 1e6:.1f} MB compressed")
    print(f"runner: {len(linked)} crates linked, {len(all_of_it)} with those of the build; " + "; ".join(f"{what} has {len(it)}" for what, it in lists.items()))
    for problem in problems:
        print(f"images/check.py: {image}: {problem}", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
