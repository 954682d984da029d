"""What was unpacked out of the archive of an engine build (engine_build.py): found where that is
gone, and removed."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import re
import stat
from typing import Iterable, Iterator

from xgen_deploy.transfer.remote.beneath import open_folder, remove_tree
from xgen_deploy.transfer.remote.brought import read_plain
from xgen_deploy.transfer.remote.stock import GONE, Brought

UNPACKED = "unpacked"
_ENGINES, _CONTENT, _LONGEST = "xgen/engines", re.compile("[0-9a-f]{12}"), 4 << 20
_SHA256, _UNKNOWN = re.compile("[0-9a-f]{64}"), "an engine build"
_ARCHIVE = re.compile(r"/xgen/engines/[0-9a-f]{12}/[^/]+")
_BUILD, _DRAFT, _LOCK = "build", "build.draft", "build.lock"
_BESIDE = ("build.json", "build.json.draft")


def folder_of(real: str, archive: str) -> str | None:
    """Where the build lies beside its archive; None where it is no archive of one."""
    return os.path.dirname(archive) if _ARCHIVE.fullmatch(archive[len(real) :]) else None


def without_archive(root: str, notes: Iterable[Brought]) -> Iterator[Brought]:
    """Builds whose archives are not there any more; `notes` are those of the folder `root`."""
    real = os.path.realpath(root)
    noted = {os.path.dirname(note.place): note for note in notes}
    engines = os.path.join(real, _ENGINES)
    names: list[str] = []
    with contextlib.suppress(OSError):
        names = sorted(filter(_CONTENT.fullmatch, os.listdir(engines)))
    for name in names:
        folder = os.path.join(engines, name)
        note = noted.get(folder)
        if note is None or note.state == GONE:
            with contextlib.suppress(OSError):
                yield _without(folder, note.origin if note is not None else _UNKNOWN)


def _without(folder: str, origin: str) -> Brought:
    """Raises OSError where there is none."""
    place = os.path.join(folder, _BUILD)
    status = os.lstat(place)
    if not stat.S_ISDIR(status.st_mode):
        raise OSError(errno.ENOTDIR, "is no folder", place)
    size, at = sum(each.st_size for each in _statuses(folder)), status.st_mtime
    digest, name = _archive_of(folder), str(status.st_ino)
    return Brought(name, place, size, status.st_mtime_ns, digest, None, origin, at, False)


def _archive_of(folder: str) -> str | None:
    """The digest of the archive, by the list beside the build."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError, RecursionError):
        text = read_plain(os.path.join(folder, _BESIDE[0]), _LONGEST)
        digest = json.loads(text.decode("utf-8"))["archive"]
        return digest if _SHA256.fullmatch(digest) else None
    return None


def inodes(folder: str) -> set[int]:
    """Of the files of the build."""
    return {status.st_ino for status in _statuses(folder)}


def _statuses(folder: str) -> Iterator[os.stat_result]:
    for place, _, names in os.walk(os.path.join(folder, _BUILD)):
        for name in names:
            with contextlib.suppress(OSError):
                yield os.lstat(os.path.join(place, name))


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
