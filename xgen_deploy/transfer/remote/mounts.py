"""Whether a folder is on a file system that other hosts may have too."""

from __future__ import annotations

import os

_SHARED = ("nfs", "cifs", "smb", "ceph", "lustre", "gpfs", "beegfs", "9p", "glusterfs", "ocfs2",
           "gfs2", "afs", "virtiofs", "fuse.")  # fmt: skip
_OWN = ("fuse.fuse-overlayfs",)


def on_network(path: str) -> bool:
    """By the type of the file system that is mounted there."""
    real = os.path.realpath(path)
    best, kind = -1, ""
    with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as mounts:
        for line in mounts:
            before, _, after = line.partition(" - ")
            place = _unescaped(before.split()[4])
            beneath = place == "/" or real == place or real.startswith(place + "/")
            if beneath and len(place) >= best:
                best, kind = len(place), after.split()[0]
    return kind.startswith(_SHARED) and kind not in _OWN


def _unescaped(place: str) -> str:
    for code, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        place = place.replace(code, character)
    return place
