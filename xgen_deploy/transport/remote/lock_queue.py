"""The queue for a lock: a numbered file next to it for each waiter, locked by its process.

The kernel releases a dead process's file; the next process to read the queue removes it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from typing import Iterator

FOLDER = ".queue"
_GATE = "gate"


class Ticket:
    """A place in the queue for the lock at `path`; `content` says whose. Raises OSError."""

    def __init__(self, path: str, content: bytes) -> None:
        self._path = path
        self._content = content
        self._number = 0
        self._handle: int | None = None

    def before(self) -> list[bytes]:
        """The contents of earlier tickets. Joins the queue first if necessary, with the same number
        as before if possible. Raises FileNotFoundError where the queue's folder was removed.
        """
        if self._handle is not None and not os.path.exists(self._name):
            self._release()
            raise FileNotFoundError(self._name)
        with _gate(self._path) as folder:
            numbers = _numbers(folder)
            if self._handle is None:
                self._draw(numbers)
            return _live(folder, (n for n in numbers if n < self._number))

    def leave(self) -> None:
        """Leave the queue and remove the ticket."""
        if self._handle is not None:
            with contextlib.suppress(OSError):
                if os.path.samestat(os.fstat(self._handle), os.stat(self._name)):
                    os.unlink(self._name)
            self._release()

    @property
    def _name(self) -> str:
        return os.path.join(self._path + FOLDER, str(self._number))

    def _draw(self, numbers: list[int]) -> None:
        if self._number in (0, *numbers):
            self._number = max(numbers, default=0) + 1
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        self._handle = os.open(self._name, flags, 0o600)
        fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.write(self._handle, self._content)

    def _release(self) -> None:
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


def waiting(path: str) -> list[bytes]:
    """The contents of the tickets for the lock at `path`, in order."""
    if not os.path.isdir(path + FOLDER):
        return []
    with _gate(path) as folder:
        return _live(folder, iter(_numbers(folder)))


def _live(folder: str, numbers: Iterator[int]) -> list[bytes]:
    contents = []
    for number in numbers:
        name = os.path.join(folder, str(number))
        with contextlib.suppress(FileNotFoundError), open(name, "rb") as ticket:
            try:
                fcntl.flock(ticket, fcntl.LOCK_SH | fcntl.LOCK_NB)
                os.unlink(name)
            except BlockingIOError:
                contents.append(ticket.read(1 << 12))
    return contents


@contextlib.contextmanager
def _gate(path: str) -> Iterator[str]:
    """Serializes reading and joining the queue."""
    folder = path + FOLDER
    os.makedirs(folder, 0o700, exist_ok=True)
    handle = os.open(os.path.join(folder, _GATE), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield folder
    finally:
        os.close(handle)


def _numbers(folder: str) -> list[int]:
    return sorted(int(name) for name in os.listdir(folder) if name.isdigit())
