"""What bringing a missing model takes: room, the right to write, and a way to its source."""

from __future__ import annotations

import contextlib
import os
import socket
import tempfile
import threading
import time
from typing import Any

from xgen_deploy.probe.remote.rates import rates

PATIENCE = 2.0
PART = ".xgen-part"
MOST_PARTS = 1000
MOST_SEEN = 100_000


def room_and_way(folders: list[str], outside: list[str]) -> dict[str, Any]:
    """`outside` are host:port; all are tried at once."""
    answer: dict[str, Any] = {"folders": [_folder(path) for path in folders]}
    if outside:
        answer["reached"] = _reached(outside)
    return answer


def _folder(path: str) -> dict[str, Any]:
    place = path
    while not os.path.isdir(place) and os.path.dirname(place) != place:
        place = os.path.dirname(place)
    room = os.statvfs(place)
    return {
        "path": path,
        "exists": place == path,
        "free": room.f_bavail * room.f_frsize,
        "total": room.f_blocks * room.f_frsize,
        "closed": _closed(place, room.f_flag),
        "parts": _parts(path),
        "rates": rates(path),
    }


def _parts(root: str) -> list[dict[str, Any]]:
    """What cut transfers left (transfer/remote/part.py), in what they take of the disk."""
    parts: list[dict[str, Any]] = []
    seen = 0
    for folder, folders, names in os.walk(root):
        seen += len(names) + len(folders)
        for name in names:
            if name.endswith(PART):
                path = os.path.join(folder, name)
                with contextlib.suppress(OSError):
                    parts.append({"path": path, "size": os.lstat(path).st_blocks * 512})
        if seen > MOST_SEEN or len(parts) > MOST_PARTS:
            break
    return parts[:MOST_PARTS]


def _closed(place: str, flags: int) -> str | None:
    if flags & os.ST_RDONLY:
        return f"{place} is on a filesystem that is mounted read-only"
    try:  # by trying: a share may map root to a user without rights
        with tempfile.TemporaryFile(dir=place):
            return None
    except OSError as error:
        return f"nothing can be written to {place}: {error.strerror}"


def _reached(outside: list[str]) -> list[str]:
    reached: list[str] = []

    def attempt(place: str) -> None:
        if _reaches(place):
            reached.append(place)

    threads = [threading.Thread(target=attempt, args=(p,), daemon=True) for p in outside]
    for thread in threads:
        thread.start()
    end = time.monotonic() + PATIENCE * 2
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
    return [place for place in outside if place in reached]


def _reaches(outside: str) -> bool:
    host, _, port = outside.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), PATIENCE).close()
    except (OSError, ValueError):
        return False
    return True
