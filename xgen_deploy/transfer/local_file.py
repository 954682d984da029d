"""A file on this machine that hosts are to get: its digests, and its bytes."""

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from xgen_deploy.transfer.remote.part import CHUNK, PIECE


@dataclass(frozen=True, kw_only=True)
class LocalFile:
    """`chunks` are the SHA-256 of each 64 MiB."""

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


def chunk_of(path: Path, chunk: int, size: int, *, piece: int) -> Iterator[bytes]:
    """The bytes of one chunk of a file of this size. Raises OSError, also where it got shorter."""
    start = chunk * CHUNK
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield from _pieces(fd, start, min(CHUNK, size - start), piece)
    finally:
        os.close(fd)


def _pieces(fd: int, start: int, length: int, piece: int) -> Iterator[bytes]:
    end = start + length
    while start < end:
        data = os.pread(fd, min(piece, end - start), start)
        if not data:
            raise OSError("it got shorter while it was read")
        yield data
        start += len(data)
