"""Who has the project's lock on this host, and who waits for it."""

from __future__ import annotations

import os
from typing import Any

from xgen_deploy.probe.remote.reading import read_text

MOST = 64
TEXT = 1 << 12


def lock(state_dir: str) -> dict[str, Any]:
    """Told from the kernel's list: taking a lock, however briefly, would refuse an apply."""
    path = os.path.join(state_dir, "lock")
    holders = held()
    pid = holders.get(place_of(path))
    queue = [read_text(name, TEXT) or "" for name in _tickets(path) if place_of(name) in holders]
    if pid is None and not queue:
        return {"lock": None}
    holder = None if pid is None else read_text(path, TEXT)
    return {"lock": {"holder": holder, "pid": pid, "queue": queue}}


def held() -> dict[str, int]:
    """By device and inode, as the kernel lists them, who has a file locked as a whole."""
    holders = {}
    for line in (read_text("/proc/locks", 1 << 22) or "").splitlines():
        words = line.split()
        if len(words) > 5 and words[1] == "FLOCK":
            holders[words[5]] = int(words[4])
    return holders


def place_of(path: str) -> str:
    """As the kernel's list names it; "" where there is nothing."""
    try:
        status = os.stat(path)
    except OSError:
        return ""
    device = status.st_dev
    return f"{os.major(device):02x}:{os.minor(device):02x}:{status.st_ino}"


def _tickets(path: str) -> list[str]:
    folder = path + ".queue"
    try:
        names = sorted((n for n in os.listdir(folder) if n.isdigit()), key=int)
    except OSError:
        return []
    return [os.path.join(folder, name) for name in names[:MOST]]
