"""What of a part is safely on the disk: lines of JSON beside it, the last of which may be cut
short."""

from __future__ import annotations

import contextlib
import json
import os
from typing import Any


class Journal:
    """`lines` are those that were there; `head` says of what they are, else they count nothing.
    `begin` comes before `add`."""

    def __init__(self, path: str, head: dict[str, Any]) -> None:
        self.path = path
        self._head = head
        self._fd = -1
        lines = _read(path)
        self.lines = lines[1:] if lines[:1] == [head] else []

    def begin(self, lines: list[dict[str, Any]]) -> None:
        """Anew, with these. Raises OSError."""
        draft = f"{self.path}.draft"
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC
        fd = os.open(draft, flags | os.O_NOFOLLOW, 0o600)
        try:
            _write(fd, [self._head, *lines])
            os.replace(draft, self.path)
        except OSError:
            os.close(fd)
            raise
        self.close()
        self._fd = fd
        sync_folder(os.path.dirname(self.path))

    def add(self, line: dict[str, Any]) -> None:
        _write(self._fd, [line])

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def remove(self) -> None:
        self.close()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path)


def sync_folder(path: str) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _write(fd: int, lines: list[dict[str, Any]]) -> None:
    rest = memoryview("".join(json.dumps(line) + "\n" for line in lines).encode())
    while rest:
        rest = rest[os.write(fd, rest) :]
    os.fdatasync(fd)


def _read(path: str) -> list[dict[str, Any]]:
    lines = []
    with contextlib.suppress(OSError, ValueError), open(path, encoding="utf-8") as journal:
        for line in journal:
            value = json.loads(line)
            if not isinstance(value, dict) or not line.endswith("\n"):
                break
            lines.append(value)
    return lines
