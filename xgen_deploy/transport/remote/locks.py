"""The project's lock on a host: the kernel releases it when the agent ends, however it does."""

from __future__ import annotations

import fcntl
import json
import os
import threading
import time
from typing import Any

from xgen_deploy.transport.remote.lock_queue import Ticket, waiting

RETRY = 0.1
# The owner is removing the folder (destroy): files created meanwhile would get in the way.
GONE = 1.0
# The queue was removed with its folder: earlier waiters rejoin first.
REJOINED_WITHIN = 0.5
# Between taking the lock and writing its owner, the file still names the previous one.
WRITTEN_WITHIN = 1.0
PUTTING_BACK = "putting back what worked before, because that apply was interrupted"
NEXT = "{}, and is next in the queue for the lock"


class Locked(Exception):
    """Another process holds the lock; the text is the owner as the file has it."""


class Locks:
    def __init__(self) -> None:
        self._held: dict[str, int] = {}
        self._owners: dict[str, dict[str, str]] = {}
        self._lock = threading.Lock()

    def take(self, path: str, owner: dict[str, str], wait: float) -> dict[str, Any]:
        """With `wait`, joins the queue; without, is refused while others wait. Raises Locked after
        `wait` seconds, and OSError."""
        with self._lock:
            if path not in self._held:
                self._owners[path] = dict(owner, pid=str(os.getpid()))
                content = json.dumps(self._owners[path]).encode()
                self._held[path] = _acquire(path, content, wait)
                _write(self._held[path], content)
                os.fsync(self._held[path])
        return {}

    def note(self, path: str, operation: str | None) -> dict[str, Any]:
        """Names the operation that the owner is at, in a lock that is held. Raises OSError."""
        with self._lock:
            if path in self._held:
                at = {} if operation is None else {"operation": operation}
                _write(self._held[path], json.dumps(dict(self._owners[path], **at)).encode())
        return {}


def _acquire(path: str, content: bytes, wait: float) -> int:
    began = not_before = time.monotonic()
    ticket = Ticket(path, content) if wait else None
    try:
        while True:
            try:
                before = ticket.before() if ticket else waiting(path)
                handle = _open(path)
            except FileNotFoundError:
                time.sleep(GONE)
                not_before = time.monotonic() + REJOINED_WITHIN
                continue
            if not before and time.monotonic() >= not_before and _lock(handle, path):
                return handle
            owner = _owner(os.pread(handle, 1 << 16, 0))
            os.close(handle)
            waited = time.monotonic() - began
            if waited >= wait and (owner is not None or waited >= WRITTEN_WITHIN):
                raise Locked(owner or _next(before) or _interrupted(path))
            time.sleep(RETRY)
    finally:
        if ticket:
            ticket.leave()


def _write(handle: int, content: bytes) -> None:
    """Over what is there before it is cut, so that a reader never finds an empty file."""
    os.pwrite(handle, content, 0)
    os.ftruncate(handle, len(content))


def _open(path: str) -> int:
    os.makedirs(os.path.dirname(path), 0o700, exist_ok=True)
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _next(before: list[bytes]) -> str | None:
    """The first in the queue, where the lock is free already."""
    try:
        first = json.loads(before[0])
        return json.dumps(dict(first, doing=NEXT.format(first["doing"])))
    except (LookupError, ValueError, TypeError):
        return None


def _owner(content: bytes) -> str | None:
    """The file's content, if it names a living process."""
    try:
        os.kill(int(json.loads(content)["pid"]), 0)
    except PermissionError:
        pass
    except (ValueError, KeyError, TypeError, OSError):
        return None
    return content.decode()


def _interrupted(path: str) -> str:
    """The owner is gone, and the guard that it left behind has the lock."""
    try:
        with open(path, encoding="utf-8") as file:
            return json.dumps(dict(json.load(file), doing=PUTTING_BACK))
    except (OSError, ValueError, TypeError):
        return ""


def _lock(handle: int, path: str) -> bool:
    """Locks an open file; False if it is locked or no longer the one at `path`."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.path.samestat(os.fstat(handle), os.stat(path))
    except (BlockingIOError, FileNotFoundError):
        return False
