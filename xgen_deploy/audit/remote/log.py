"""An append-only file of JSON lines, each with the SHA-256 of the line before it (`prev`).

Runs on hosts too, sent there as source: standard library of Python 3.8 only.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import time
from datetime import datetime

KEPT_DAYS = 400
LARGEST = 16 << 20
PRUNED = "pruned"
_DAY = 86400


def append(
    path: str, events: list[dict[str, object]], now: float | None = None, largest: int = LARGEST
) -> None:
    """Appends events, chained to the last line and synced to disk. The folder must exist.

    Raises OSError.
    """
    handle = _locked(path)
    try:
        with os.fdopen(os.dup(handle), "rb") as file:
            file.seek(max(0, os.fstat(handle).st_size - 2 * largest))
            before = file.read().splitlines()
        kept = _prune(before, now or time.time(), largest)
        added = _chained(events, _hash(before[-1]) if before else "")
        if kept == before:
            whole = os.fstat(handle).st_size
            torn = bool(whole) and os.pread(handle, 1, whole - 1) != b"\n"
            _write(handle, (b"\n" if torn else b"") + b"".join(line + b"\n" for line in added))
        else:
            _replace(path, b"".join(line + b"\n" for line in kept + added))
    finally:
        os.close(handle)


def check(lines: list[bytes]) -> list[int]:
    """The numbers (from 1) of lines that do not follow from the one before or are not JSON."""
    broken, expected = [], None
    for number, line in enumerate(lines, 1):
        value = _parsed(line)
        if value is None or (expected is not None and value.get("prev") != expected):
            broken.append(number)
        elif expected is None and value.get("prev") and value.get("what") != PRUNED:
            broken.append(number)  # lines before this one were cut off
        carried = value is not None and number == 1 and value.get("what") == PRUNED
        expected = value.get("prev") if carried and value else _hash(line)
    return broken


def _prune(lines: list[bytes], now: float, largest: int) -> list[bytes]:
    """Without lines that are too old, and without the oldest beyond `largest` bytes; a PRUNED line
    then comes first and continues the chain from the last removed line."""
    first = _parsed(lines[0]) if lines else None
    carried = 1 if first is not None and first.get("what") == PRUNED else 0
    keep = carried
    while keep < len(lines) and _age_days(lines[keep], now) > KEPT_DAYS:
        keep += 1
    size = sum(len(line) + 1 for line in lines[keep:])
    if size > largest:
        while keep < len(lines) and size > largest // 2:
            size -= len(lines[keep]) + 1
            keep += 1
    if keep <= carried:
        return lines
    before = (first or {}).get("lines") if carried else 0
    gone = keep - carried + (before if isinstance(before, int) else 0)
    head = {
        "time": _iso(now),
        "what": PRUNED,
        "outcome": "ok",
        "lines": gone,
        "prev": _hash(lines[keep - 1]),
    }
    return [json.dumps(head).encode(), *lines[keep:]]


def _chained(events: list[dict[str, object]], prev: str) -> list[bytes]:
    lines = []
    for event in events:
        line = json.dumps(dict(event, prev=prev)).encode()
        lines.append(line)
        prev = _hash(line)
    return lines


def _locked(path: str) -> int:
    """Opens and locks the file at `path`; opens again if another append replaced it meanwhile."""
    while True:
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        handle = os.open(path, flags, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            if os.path.samestat(os.fstat(handle), os.stat(path)):
                return handle
        except FileNotFoundError:
            pass
        os.close(handle)


def _replace(path: str, content: bytes) -> None:
    draft = path + ".new"
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    try:
        _write(handle, content)
    finally:
        os.close(handle)
    os.replace(draft, path)


def _write(handle: int, content: bytes) -> None:
    while content:
        content = content[os.write(handle, content) :]
    os.fsync(handle)


def _parsed(line: bytes) -> dict[str, object] | None:
    try:
        value = json.loads(line.decode())
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _age_days(line: bytes, now: float) -> float:
    """The age of a line; 0 for a damaged one, which is kept."""
    try:
        time_of = datetime.fromisoformat(str((_parsed(line) or {})["time"]))
        return (now - time_of.timestamp()) / _DAY
    except (KeyError, ValueError, OverflowError):
        return 0.0


def _iso(now: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(now))


def _hash(line: bytes) -> str:
    return hashlib.sha256(line).hexdigest()
