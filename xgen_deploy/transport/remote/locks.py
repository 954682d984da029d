"""The project's lock on a host: the kernel frees it when the agent is gone, however it went."""

from __future__ import annotations

import fcntl
import json
import os
import threading
import time
from typing import Any

RETRY = 0.1


class Locked(Exception):
    """Somebody else has it; the text is what the file says about them."""


class Locks:
    def __init__(self) -> None:
        self._held: dict[str, int] = {}
        self._lock = threading.Lock()

    def take(self, path: str, owner: dict[str, str], wait: float) -> dict[str, Any]:
        """Raises Locked after `wait` seconds, and OSError."""
        with self._lock:
            if path not in self._held:
                self._held[path] = _acquire(path, time.monotonic() + wait)
                content = json.dumps(dict(owner, pid=str(os.getpid()))).encode()
                os.ftruncate(self._held[path], 0)
                os.pwrite(self._held[path], content, 0)
                os.fsync(self._held[path])
        return {}


def _acquire(path: str, until: float) -> int:
    while True:
        os.makedirs(os.path.dirname(path), 0o700, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if _ours(handle, path):
            return handle
        holder = os.pread(handle, 1 << 16, 0).decode(errors="replace")
        os.close(handle)
        if time.monotonic() >= until:
            raise Locked(holder)
        time.sleep(RETRY)


def _ours(handle: int, path: str) -> bool:
    """Lock an open file, if it is free and still the one at `path`."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.path.samestat(os.fstat(handle), os.stat(path))
    except (BlockingIOError, FileNotFoundError):
        return False
