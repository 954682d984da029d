"""The process groups that the agent has started."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import subprocess
import threading
import time
from typing import Any

GRACE = 2.0


class Groups:
    """Process groups that may still have members; thread-safe."""

    def __init__(self) -> None:
        self._leaders: dict[int, subprocess.Popen[bytes]] = {}
        self._lock = threading.Lock()
        self._ending = False

    def start(self, argv: list[str], **how: Any) -> subprocess.Popen[bytes]:
        """Raises OSError."""
        with self._lock:
            if self._ending:
                raise OSError(errno.ESHUTDOWN, "the session is ending")
            leader = subprocess.Popen(argv, start_new_session=True, **how)
            self._leaders[leader.pid] = leader
        return leader

    def forget_if_empty(self, leader: subprocess.Popen[bytes]) -> None:
        with self._lock:
            if not _alive(leader):
                self._leaders.pop(leader.pid, None)

    def end(self) -> None:
        """End them all; nothing can be started afterwards."""
        with self._lock:
            self._ending = True
            leaders = list(self._leaders.values())
        end_groups(leaders)


def end_groups(leaders: list[subprocess.Popen[bytes]]) -> None:
    """SIGTERM, then SIGKILL for those still alive after GRACE seconds."""
    for leader in leaders:
        _send(leader, signal.SIGTERM)
    until = time.monotonic() + GRACE
    while time.monotonic() < until and any(_alive(leader) for leader in leaders):
        time.sleep(0.02)
    for leader in leaders:
        _send(leader, signal.SIGKILL)


def _alive(leader: subprocess.Popen[bytes]) -> bool:
    leader.poll()  # A zombie would count as alive.
    try:
        os.killpg(leader.pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _send(leader: subprocess.Popen[bytes], number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader.pid, number)
