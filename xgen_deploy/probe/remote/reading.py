"""Small files, read whole; what is not there is None."""

from __future__ import annotations

import os
import stat


def read_text(path: str, limit: int = 1 << 20) -> str | None:
    """None where the file is absent, is a pipe or the like, or cannot be read."""
    try:
        with open(path, "rb", opener=_without_waiting) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                return None
            return file.read(limit).decode("utf-8", "replace")
    except OSError:
        return None


def _without_waiting(path: str, flags: int) -> int:
    """For whoever would write to a pipe."""
    return os.open(path, flags | os.O_NONBLOCK)


def read_int(path: str) -> int | None:
    """A decimal or 0x number in a file."""
    text = (read_text(path) or "").strip()
    try:
        return int(text, 0)
    except ValueError:
        return None


def read_pairs(path: str, separator: str | None = None) -> dict[str, str]:
    """The lines `key<separator>value` of a file; white space separates unless stated."""
    pairs = {}
    for line in (read_text(path) or "").splitlines():
        key, separated, value = line.strip().partition(separator or " ")
        if separated:
            pairs[key.strip()] = value.strip()
    return pairs
