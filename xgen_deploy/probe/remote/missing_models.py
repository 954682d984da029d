"""What bringing a missing model takes: room, the right to write, and a way to its source."""

from __future__ import annotations

import os
import socket
import tempfile
from typing import Any

PATIENCE = 2.0


def room_and_way(folders: list[str], outside: str | None) -> dict[str, Any]:
    """`outside` is host:port."""
    answer: dict[str, Any] = {"folders": [_folder(path) for path in folders]}
    if outside is not None:
        answer["egress"] = _reaches(outside)
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
    }


def _closed(place: str, flags: int) -> str | None:
    if flags & os.ST_RDONLY:
        return f"{place} is on a filesystem that is mounted read-only"
    try:  # by trying: a share may map root to a user without rights
        with tempfile.TemporaryFile(dir=place):
            return None
    except OSError as error:
        return f"nothing can be written to {place}: {error.strerror}"


def _reaches(outside: str) -> bool:
    host, _, port = outside.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), PATIENCE).close()
    except (OSError, ValueError):
        return False
    return True
