"""Removes what was unpacked out of the archive of an engine build (engine_build.py)."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
from typing import Iterator

from xgen_deploy.transfer.remote.beneath import open_folder, remove_tree

_ARCHIVE = re.compile(r"/xgen/engines/[0-9a-f]{12}/[^/]+")
_BUILD, _DRAFT, _LOCK = "build", "build.draft", "build.lock"
_BESIDE = ("build.json", "build.json.draft")


def folder_of(real: str, archive: str) -> str | None:
    """Where the build lies beside its archive; None where it is no archive of one."""
    return os.path.dirname(archive) if _ARCHIVE.fullmatch(archive[len(real) :]) else None


def inodes(folder: str) -> set[int]:
    """Of the files of the build."""
    found = set()
    for place, _, names in os.walk(os.path.join(folder, _BUILD)):
        for name in names:
            with contextlib.suppress(OSError):
                found.add(os.lstat(os.path.join(place, name)).st_ino)
    return found


@contextlib.contextmanager
def going(real: str, folder: str) -> Iterator[None]:
    """The build is gone in the block, and until its end nobody unpacks it again. It loses its name
    at once: whatever cuts this, no half of it is run. Raises OSError."""
    fd = open_folder(real, folder)
    try:
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        lock = os.open(_LOCK, flags, 0o600, dir_fd=fd)
        try:
            _lock(lock)
            _remove(fd)
            yield
            os.unlink(_LOCK, dir_fd=fd)
        finally:
            os.close(lock)
    finally:
        os.close(fd)


def _lock(lock: int) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise OSError(errno.EBUSY, "it is being unpacked") from None


def _remove(folder: int) -> None:
    for stale in (_DRAFT, _DRAFT + ".trial"):
        remove_tree(folder, stale)
    with contextlib.suppress(FileNotFoundError):
        os.rename(_BUILD, _DRAFT, src_dir_fd=folder, dst_dir_fd=folder)
    remove_tree(folder, _DRAFT)
    for name in _BESIDE:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name, dir_fd=folder)
