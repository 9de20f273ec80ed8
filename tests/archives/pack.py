"""Packs the working directory with Python's zipfile: pack.py stored|deflated > ARCHIVE. To a pipe it streams."""

import os
import stat
import sys
import zipfile

METHODS = {"stored": zipfile.ZIP_STORED, "deflated": zipfile.ZIP_DEFLATED}


def add(archive, path):
    if os.path.islink(path):
        info = zipfile.ZipInfo(os.path.relpath(path))
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, os.readlink(path))
    else:
        archive.write(path)


with zipfile.ZipFile(sys.stdout.buffer, "w", METHODS[sys.argv[1]]) as archive:
    for directory, directories, files in os.walk("."):
        for name in sorted(directories + files):
            add(archive, os.path.join(directory, name))
