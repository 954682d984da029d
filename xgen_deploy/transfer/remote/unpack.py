"""An archive unpacked into a new folder: plain files, folders and links that lead down, nothing
that could reach out of it or fill the disk.
"""

from __future__ import annotations

import os
import stat
import tarfile
import zlib

MOST_ENTRIES = 20_000
# How many times an archive's own size it may take, and what stays free on the disk.
MOST_TIMES = 200
SMALL = 64 << 20
SPARE = 256 << 20
PIECE = 1 << 20
LONGEST = 500
SHOWN = 80
_BROKEN = (tarfile.TarError, EOFError, zlib.error, ValueError)


class BadArchive(Exception):
    """It cannot be unpacked; the text is a clause about it."""


def unpack(archive: str, folder: str) -> None:
    """`folder` is not there yet. Raises BadArchive and OSError."""
    os.mkdir(folder, 0o755)
    try:
        with tarfile.open(archive, "r:*") as tar:
            _unpack(tar, folder, _Room(archive, folder))
    except _BROKEN as error:
        raise BadArchive(f"it cannot be read as a tar archive ({_shown(str(error))})") from None


def _unpack(tar: tarfile.TarFile, folder: str, room: _Room) -> None:
    links = []
    for count, member in enumerate(tar):
        if count >= MOST_ENTRIES:
            raise BadArchive(f"it has more than {MOST_ENTRIES} entries")
        place = os.path.join(folder, _name(member.name))
        try:
            if member.isdir():
                os.makedirs(place, exist_ok=True)
            elif member.issym():
                links.append((place, _target(member)))
            elif member.isreg():
                _write(tar, member, place, room)
            else:
                kind = "a hard link" if member.islnk() else "no file, folder or link"
                hint = " (`tar --hard-dereference` packs such as files)" if member.islnk() else ""
                raise BadArchive(f"its {_shown(member.name)} is {kind}{hint}")
        except (FileExistsError, NotADirectoryError):
            raise BadArchive(f"its {_shown(member.name)} is there twice") from None
    for place, target in links:  # last, so that nothing is written through one
        os.makedirs(os.path.dirname(place), exist_ok=True)
        if os.path.lexists(place):
            raise BadArchive(f"its {_shown(os.path.relpath(place, folder))} is there twice")
        os.symlink(target, place)


def _write(tar: tarfile.TarFile, member: tarfile.TarInfo, place: str, room: _Room) -> None:
    os.makedirs(os.path.dirname(place), exist_ok=True)
    source = tar.extractfile(member)
    if source is None:
        raise BadArchive(f"its {_shown(member.name)} has no content")
    mode = 0o755 if member.mode & 0o111 else 0o644
    fd = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    with os.fdopen(fd, "wb") as file:
        while True:
            data = source.read(PIECE)
            if not data:
                break
            room.take(len(data))
            file.write(data)
        file.flush()
        os.fchmod(fd, mode)
        os.fsync(fd)


class _Room:
    """How much may still be written. `SMALL` is always little enough."""

    def __init__(self, archive: str, folder: str) -> None:
        disk = os.statvfs(folder)
        self._free = disk.f_bavail * disk.f_frsize - SPARE
        self._most = max(SMALL, os.stat(archive).st_size * MOST_TIMES)
        self._written = 0

    def take(self, count: int) -> None:
        self._written += count
        if self._written > self._most:
            raise BadArchive(f"it unpacks to more than {MOST_TIMES} times its size")
        if self._written > self._free:
            raise BadArchive("it unpacks to more than the disk has room for")


def _name(name: str) -> str:
    """Without `./`. Raises BadArchive where it is no name beneath a folder."""
    parts = [part for part in name.split("/") if part not in ("", ".")]
    odd = name.startswith("/") or ".." in parts or len(name) > LONGEST
    if odd or any(not character.isprintable() for character in name):
        raise BadArchive(f"its {_shown(name)} is no name beneath a folder")
    return "/".join(parts)


def _target(member: tarfile.TarInfo) -> str:
    """Downwards only: no chain of such links leads out."""
    target = member.linkname
    if target.startswith("/") or ".." in target.split("/") or not target.isprintable():
        raise BadArchive(f"its {_shown(member.name)} links to {_shown(target)}, which may lead out")
    return target


def programs(folder: str) -> list[str]:
    """What can be executed in an unpacked folder, relative to it; some of it where it is much."""
    found = []
    for place, _, names in os.walk(folder):
        for name in sorted(names):
            path = os.path.join(place, name)
            status = os.lstat(path)
            if stat.S_ISREG(status.st_mode) and status.st_mode & 0o111 and ".so" not in name:
                found.append(os.path.relpath(path, folder))
    return sorted(found)[:8]


def _shown(text: str) -> str:
    plain = "".join(c if c.isprintable() else "?" for c in text)
    return plain if len(plain) <= SHOWN else plain[:SHOWN] + "..."
