"""How much a process and all that it started have read: a model on its way into memory."""

from __future__ import annotations

import os
from typing import Any

_MOST = 256


def bytes_read(pid: int) -> dict[str, Any]:
    """None where nothing can be told. What is read by calls counts, or what is mapped and was
    touched, whichever is more: engines load their files in either way.
    """
    known = [count for count in map(_of_one, _tree(pid)) if count is not None]
    return {"bytes": sum(known) if known else None}


def _tree(pid: int) -> list[int]:
    tree = [pid]
    for parent in tree:
        if len(tree) >= _MOST:
            break
        tree += [child for child in _children(parent) if child not in tree]
    return tree[:_MOST]


def _children(pid: int) -> list[int]:
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return []
    words = [_text(f"/proc/{pid}/task/{thread}/children") for thread in threads[:_MOST]]
    return [int(word) for line in words for word in line.split() if word.isdigit()]


def _of_one(pid: int) -> int | None:
    io, status = _fields(f"/proc/{pid}/io"), _fields(f"/proc/{pid}/status")
    if not io and not status:
        return None
    mapped = status.get("RssFile", 0) << 10
    return max(io.get("rchar", 0), io.get("read_bytes", 0), mapped)


def _fields(path: str) -> dict[str, int]:
    """`name: number` and, of /proc/PID/status, `name: number kB`."""
    fields = {}
    for line in _text(path).splitlines():
        name, _, rest = line.partition(":")
        words = rest.split()
        if words and words[0].isdigit():
            fields[name] = int(words[0])
    return fields


def _text(path: str) -> str:
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return file.read(1 << 16)
    except OSError:
        return ""
