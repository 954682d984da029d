"""What of a damaged file is right: its chunks one by one, so that only those that are not come
again."""

from __future__ import annotations

import contextlib
import hashlib
import os
from typing import Callable

from xgen_deploy.transfer.remote.part import CHUNK, PIECE, Part, Wrong, drop_pages


def damaged_chunks(part: Part) -> list[int]:
    """Those that do not read as they were written."""
    return [k for k, digest in sorted(part.chunks.items()) if _digest(part, k) != digest]


def take_over(part: Part, known: list[str]) -> None:
    """What is right of the file that has the part's name already, by the chunks' known digests."""
    with contextlib.suppress(FileNotFoundError):
        fd = os.open(part.file.place, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            if os.fstat(fd).st_size == part.file.size and len(known) == part.file.chunk_count:
                for chunk in part.missing():
                    with contextlib.suppress(Wrong, EOFError):
                        part.write(chunk, _reader(fd, chunk * CHUNK), known[chunk])
                    drop_pages(fd, chunk * CHUNK, part.file.length(chunk))
        finally:
            os.close(fd)


def _digest(part: Part, chunk: int) -> str:
    digest, read, left = hashlib.sha256(), _reader(part.fd, chunk * CHUNK), part.file.length(chunk)
    with contextlib.suppress(EOFError):
        while left:
            data = read(min(left, PIECE))
            digest.update(data)
            left -= len(data)
    drop_pages(part.fd, chunk * CHUNK, part.file.length(chunk))
    return digest.hexdigest()


def _reader(fd: int, offset: int) -> Callable[[int], bytes]:
    at = offset

    def read(most: int) -> bytes:
        nonlocal at
        data = os.pread(fd, most, at)
        if not data:
            raise EOFError
        at += len(data)
        return data

    return read
