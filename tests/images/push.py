"""Builds a container image from a description on standard input, and pushes it: `push.py REGISTRY NAME:TAG [USER:PASSWORD]`.

{"layers": [{"compression": "gzip", "entries": [{"path": "a", "content": "x", "mode": 493}]}, {"tar": "/a.tar"}],
 "config": {"Cmd": ["a"]}, "architectures": ["amd64", "arm64"]}: with several architectures, an index.
An entry is a file, a directory ("directory": true), a "link", a "hard" link,
or a file "from" this machine.
"""

import base64
import gzip
import hashlib
import http.client
import io
import json
import subprocess
import sys
import tarfile
from pathlib import Path
from urllib.parse import urlsplit

OCI = "application/vnd.oci.image"
KINDS = {"link": tarfile.SYMTYPE, "hard": tarfile.LNKTYPE}


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


class Registry:
    def __init__(self, address, name, login):
        self.connection, self.name = http.client.HTTPConnection(address), name
        self.headers = {"Authorization": "Basic " + base64.b64encode(login.encode()).decode()} if login else {}

    def send(self, method, path, body=b"", kind="application/octet-stream"):
        self.connection.request(method, path, body, self.headers | {"Content-Type": kind})
        answer = self.connection.getresponse()
        text = answer.read()
        if answer.status >= 300:
            raise SystemExit(f"push.py: {method} {path}: {answer.status} {text}")
        return answer

    def blob(self, data, kind):
        upload = urlsplit(self.send("POST", f"/v2/{self.name}/blobs/uploads/").headers["Location"])
        self.send("PUT", f"{upload.path}?{upload.query}&digest={digest(data)}", data)
        return {"mediaType": kind, "digest": digest(data), "size": len(data)}

    def manifest(self, document, tag):
        data = json.dumps(document).encode()
        self.send("PUT", f"/v2/{self.name}/manifests/{tag or digest(data)}", data, document["mediaType"])
        return {"mediaType": document["mediaType"], "digest": digest(data), "size": len(data)}


def add(archive, entry):
    info = tarfile.TarInfo(entry["path"])
    info.mtime = 1_700_000_000
    data = entry.get("content", "").encode()
    if "from" in entry:
        data = Path(entry["from"]).read_bytes()
    info.mode = entry.get("mode", 0o755 if "from" in entry or "directory" in entry else 0o644)
    for name, kind in KINDS.items():
        if name in entry:
            info.type, info.linkname, data = kind, entry[name], b""
    if "directory" in entry:
        info.type = tarfile.DIRTYPE
    info.size = len(data)
    archive.addfile(info, io.BytesIO(data))


def tar(layer):
    if "tar" in layer:
        return Path(layer["tar"]).read_bytes()
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for entry in layer["entries"]:
            add(archive, entry)
    return buffer.getvalue()


def pack(data, compression):
    if compression == "gzip":
        return gzip.compress(data, 1, mtime=0), f"{OCI}.layer.v1.tar+gzip"
    if compression == "zstd":
        return subprocess.run(["zstd", "-qc"], input=data, stdout=subprocess.PIPE, check=True).stdout, f"{OCI}.layer.v1.tar+zstd"
    return data, f"{OCI}.layer.v1.tar"


def main(address, name, login=None):
    described = json.load(sys.stdin)
    name, tag = name.rsplit(":", 1)
    registry = Registry(address, name, login)
    tars = [tar(layer) for layer in described["layers"]]
    layers = [registry.blob(*pack(data, layer.get("compression"))) for data, layer in zip(tars, described["layers"])]
    architectures = described.get("architectures", ["amd64"])
    manifests = []
    for architecture in architectures:
        configuration = {
            "architecture": architecture,
            "os": "linux",
            "config": described.get("config", {}),
            "rootfs": {"type": "layers", "diff_ids": [digest(data) for data in tars]},
        }
        config = registry.blob(json.dumps(configuration).encode(), f"{OCI}.config.v1+json")
        manifest = {"schemaVersion": 2, "mediaType": f"{OCI}.manifest.v1+json", "config": config, "layers": layers}
        pushed = registry.manifest(manifest, tag if len(architectures) == 1 else None)
        manifests.append(pushed | {"platform": {"os": "linux", "architecture": architecture}})
    if len(architectures) > 1:
        registry.manifest({"schemaVersion": 2, "mediaType": f"{OCI}.index.v1+json", "manifests": manifests}, tag)
    # Where a test may damage a layer: its bytes as the registry stores them.
    print(json.dumps({"layers": [layer["digest"] for layer in layers], "manifest": manifests[0]["digest"]}))


if __name__ == "__main__":
    main(*sys.argv[1:])
