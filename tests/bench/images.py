"""Owns the figures of image functions: the same image from a local registry, beside `skopeo copy` and `umoci unpack`.

The image: a Debian root with Python, a layer with numpy and pandas, one with pyarrow, one with the handler.
"""

import contextlib
import hashlib
import shutil
import socket
import subprocess
import tarfile
import tempfile
import time
import zipfile
from pathlib import Path

import table
from measure import SHM, Failed, count, in_turn, unpacking
from packages import CACHE, package

REGISTRY = """version: 0.1
log: {level: error, accesslog: {disabled: true}}
storage: {filesystem: {rootdirectory: %s}}
http: {addr: "127.0.0.1:%d"}
"""
NAME = "bench:1"
GOAL = 0.6


def run(*command, **options):
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options)


@contextlib.contextmanager
def registry(storage):
    """A registry of images on a free port; yields its name."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    configuration = SHM / "registry.yml"
    configuration.write_text(REGISTRY % (storage, port))
    process = subprocess.Popen(["docker-registry", "serve", configuration], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(port)
        yield f"localhost:{port}"
    finally:
        process.terminate()
        process.wait()


def wait_for(port):
    for _ in range(200):
        with contextlib.suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.05)
    raise SystemExit("bench: docker-registry does not answer")


def layers(root, work):
    """The image's layers, lowest first, as tar files."""
    libraries = work / "libraries"
    with zipfile.ZipFile(package("py")) as archive:
        archive.extractall(libraries)
    arrow = [path for path in libraries.iterdir() if path.name.startswith("pyarrow")]
    rest = [path for path in libraries.iterdir() if path not in arrow]
    handler = work / "app.py"
    handler.write_text("def handler(event, context):\n    return event\n")
    yield root
    for number, paths in enumerate((rest, arrow, [handler])):
        layer = work / f"{number}.tar"
        with tarfile.open(layer, "w") as archive:
            for path in sorted(paths):
                archive.add(path, f"var/task/{path.name}")
        yield layer


def make(root, directory):
    """A registry's storage with the image."""
    directory.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as made:
        work = Path(made)
        image = f"{work}/layout:1"
        run("umoci", "init", "--layout", work / "layout")
        run("umoci", "new", "--image", image)
        for layer in layers(root, work):
            run("umoci", "raw", "add-layer", "--image", image, layer)
        with registry(work / "registry") as name:
            run("skopeo", "--insecure-policy", "copy", "--dest-tls-verify=false", f"oci:{image}", f"docker://{name}/{NAME}")
        shutil.copytree(work / "registry", directory.with_suffix(".new"))
        directory.with_suffix(".new").rename(directory)


def pushed(root):
    """Where the image is kept; made if it is not there as this file describes it."""
    recipe = hashlib.sha256(Path(__file__).read_bytes() + root.name.encode() + package("py").parent.name.encode()).hexdigest()[:16]
    directory = CACHE / "images" / recipe
    if not directory.exists():
        shutil.rmtree(directory.parent, ignore_errors=True)
        make(root, directory)
    return directory


def beside(source):
    copy = f"skopeo --insecure-policy copy -q --src-tls-verify=false {source} oci:DIR/layout:1"
    return ["bash", "-c", f"{copy} && umoci unpack --image DIR/layout:1 DIR/bundle"]


def written(source):
    """Files and bytes that the image consists of."""
    directory = SHM / "reference"
    directory.mkdir()
    run(*[word.replace("DIR/", f"{directory}/") for word in beside(source)])
    try:
        return count(directory / "bundle/rootfs")
    finally:
        shutil.rmtree(directory)


def figures(runner):
    title = "image function, 4 layers"
    roots = sorted(CACHE.parent.glob("base-python-*.tar"))
    if not roots:
        return table.skipped(title, "no Debian root is here: `images/debian.sh python` makes one")
    with registry(pushed(roots[0])) as name:
        source = f"docker://{name}/{NAME}"
        results = in_turn({
            "ours": unpacking([runner, "unpack", source, "DIR"], written(source)),
            "theirs": unpacking(beside(source)),
        })
    ours, theirs = results["ours"], results["theirs"]
    if isinstance(ours, Failed) or isinstance(theirs, Failed):
        return table.skipped(title, ours if isinstance(ours, Failed) else theirs)
    table.row(title, ours.wall, "ms", "skopeo copy, umoci unpack", theirs.wall, at_most=GOAL)
    table.row(f"{title}: largest resident memory", ours.peak, "MB", "skopeo or umoci", theirs.peak)
