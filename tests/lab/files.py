"""What lies on a host's disk, so that a test can tell what was added or removed."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

# What a running system changes by itself.
VOLATILE = (
    "/dev",
    "/proc",
    "/run",
    "/sys",
    "/tmp",
    "/var/cache",
    "/var/lib/containerd",
    "/var/lib/docker",
    "/var/lib/private",
    "/var/lib/sudo",
    "/var/lib/systemd",
    "/var/log",
    "/var/tmp",
)


@dataclass(frozen=True, order=True)
class FileEntry:
    """One path; a directory has no size of its own, a link's is its target's length."""

    path: str
    kind: str
    mode: int
    size: int


def snapshot(root: Path, ignore: tuple[str, ...] = ()) -> frozenset[FileEntry]:
    """Every lasting path under a root file system; mounts from elsewhere are not seen."""
    skip = {*VOLATILE, *ignore}
    found: set[FileEntry] = set()
    pending = [""]
    while pending:
        directory = pending.pop()
        with os.scandir(f"{root}{directory}/") as listing:
            for item in listing:
                path = f"{directory}/{item.name}"
                if path in skip:
                    continue
                status = item.stat(follow_symlinks=False)
                is_directory = stat.S_ISDIR(status.st_mode)
                found.add(
                    FileEntry(
                        path,
                        _KINDS.get(stat.S_IFMT(status.st_mode), "other"),
                        stat.S_IMODE(status.st_mode),
                        0 if is_directory else status.st_size,
                    )
                )
                if is_directory:
                    pending.append(path)
    return frozenset(found)


_KINDS = {stat.S_IFREG: "file", stat.S_IFDIR: "directory", stat.S_IFLNK: "link"}
