"""Of which type a GGUF's header says that its tensors mostly are."""

from __future__ import annotations

import os
import struct
from typing import BinaryIO

KEY = "general.file_type"
MOST_KEYS = 1 << 14
MOST = 1 << 28
# GGUF's numbers of kinds of values: the bytes of one.
SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
UINT32, STRING, ARRAY = 4, 8, 9


class NotGGUF(Exception):
    """The text is a clause about the file."""


def file_type(path: str) -> int | None:
    """None where it does not say. Raises NotGGUF and OSError."""
    with open(path, "rb") as file:
        try:
            return _file_type(file, os.fstat(file.fileno()).st_size)
        except (struct.error, KeyError):
            raise NotGGUF("its header is cut short") from None


def _file_type(file: BinaryIO, size: int) -> int | None:
    if file.read(4) != b"GGUF":
        raise NotGGUF("it is no GGUF")
    _, tensors, keys = struct.unpack("<IQQ", file.read(20))
    if not tensors or keys > MOST_KEYS:
        raise NotGGUF(f"it claims {tensors} tensors and {keys} keys")
    found = None
    for _ in range(keys):
        name, (kind,) = _bytes(file, size), struct.unpack("<I", file.read(4))
        if name == KEY.encode() and kind == UINT32:
            (found,) = struct.unpack("<I", file.read(4))
        else:
            _skip(file, kind, size)
    return found


def _skip(file: BinaryIO, kind: int, size: int) -> None:
    if kind == STRING:
        _bytes(file, size)
    elif kind == ARRAY:
        of, count = struct.unpack("<IQ", file.read(12))
        if of in SIZES:
            file.seek(min(SIZES[of] * count, size), os.SEEK_CUR)
            return
        for _ in range(min(count, MOST)):
            _skip(file, of, size)
    else:
        file.seek(SIZES[kind], os.SEEK_CUR)


def _bytes(file: BinaryIO, size: int) -> bytes:
    (length,) = struct.unpack("<Q", file.read(8))
    if length > min(size, MOST):
        raise NotGGUF("its header is cut short")
    return file.read(length)
