"""A file on this machine that hosts are to get: its digests, and its bytes. One that lies within
other files, piece after piece, is as good."""

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from xgen_deploy.transfer.remote.part import CHUNK, PIECE


@dataclass(frozen=True)
class Extent:
    """So many bytes of a file, from `start` on."""

    path: Path
    start: int
    length: int


@dataclass(frozen=True)
class Stored:
    """A file whose bytes are those of the extents, one after the other."""

    extents: tuple[Extent, ...]

    def __str__(self) -> str:
        return ", ".join(str(path) for path in dict.fromkeys(e.path for e in self.extents))


@dataclass(frozen=True)
class Held:
    """A stored file, and the SHA-256 of each 16 MiB."""

    file: Stored
    chunks: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class LocalFile:
    """`chunks` are the SHA-256 of each 16 MiB."""

    path: Path
    size: int
    sha256: str
    chunks: tuple[str, ...]


def digested(path: Path) -> LocalFile:
    """Reads it whole. Raises OSError."""
    whole, chunks = hashlib.sha256(), []
    with path.open("rb", buffering=0) as file:
        size = os.fstat(file.fileno()).st_size
        for start in range(0, size, CHUNK):
            digest = hashlib.sha256()
            for data in _pieces(file.fileno(), start, min(CHUNK, size - start), PIECE):
                whole.update(data)
                digest.update(data)
            chunks.append(digest.hexdigest())
    return LocalFile(path=path, size=size, sha256=whole.hexdigest(), chunks=tuple(chunks))


def chunk_of(file: Path | Stored, chunk: int, size: int, *, piece: int) -> Iterator[bytes]:
    """The bytes of one chunk of a file of this size. Raises OSError, also where it got shorter."""
    start = chunk * CHUNK
    length = min(CHUNK, size - start)
    whole = Stored((Extent(file, 0, size),)) if isinstance(file, Path) else file
    for extent in _part(whole, start, length):
        fd = os.open(extent.path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            yield from _pieces(fd, extent.start, extent.length, piece)
        finally:
            os.close(fd)


def _part(file: Stored, start: int, length: int) -> Iterator[Extent]:
    """Where these bytes of the file lie."""
    at, end = 0, start + length
    for extent in file.extents:
        first, last = max(start, at), min(end, at + extent.length)
        if first < last:
            yield Extent(extent.path, extent.start + first - at, last - first)
        at += extent.length
    if at < end:
        raise OSError("it got shorter while it was read")


def _pieces(fd: int, start: int, length: int, piece: int) -> Iterator[bytes]:
    end = start + length
    while start < end:
        data = os.pread(fd, min(piece, end - start), start)
        if not data:
            raise OSError("it got shorter while it was read")
        yield data
        start += len(data)
