"""The state of files whose content is known because they were brought by a transfer, which noted it
(transfer/remote/brought.py). The same content has the same state on every host.
"""

from __future__ import annotations

import json
import os
from typing import Any

from xgen_deploy.probe.remote.reading import read_text
from xgen_deploy.probe.remote.sha256 import sha256

FOLDER = ".xgen/files"
NOTE = 64 << 10
MOST_LEVELS = 64
BY_LENGTH = "length "


def content_state(paths: list[str]) -> str | None:
    """None where of any of them no note holds. As files/places.py, content_state."""
    lines, known = [], True
    for path in paths:
        digest = _noted(os.path.realpath(path))
        if digest is None:
            return None
        known = known and not digest.startswith(BY_LENGTH)
        lines.append(f"{os.path.basename(path)} {digest}")
    if not lines:
        return None
    digest = sha256("\n".join(sorted(lines)).encode()).hexdigest()
    return f"{'sha256' if known else 'length'}:{digest}"


def damage(paths: list[str]) -> dict[str, Any]:
    """What to add to the facts of a model with files that `models verify` found damaged as they
    are (transfer/remote/check.py): it can be brought like one that is missing."""
    bad = [path for path in paths if (_note(os.path.realpath(path)) or {}).get("damaged") is True]
    if not bad:
        return {}
    names = ", ".join(os.path.basename(path) for path in bad[:3])
    error = f"is damaged on its disk, as `models verify` found: {names}"
    return {"error": error, "missing": True}


def _noted(path: str) -> str | None:
    entry = _note(path)
    if entry is None:
        return None
    try:
        if entry.get("by_length"):  # whoever asked for it knew no digest
            return f"{BY_LENGTH}{entry['size']}"
        return str(entry["sha256"] or entry["sha1"])
    except (KeyError, TypeError):
        return None


def _note(path: str) -> dict[str, Any] | None:
    """The note of the file as it is."""
    status = os.stat(path)
    folder = os.path.dirname(path)
    for _ in range(MOST_LEVELS):
        text = read_text(os.path.join(folder, FOLDER, f"{status.st_ino}.json"), NOTE)
        if text is not None:
            try:
                entry: dict[str, Any] = json.loads(text)
                same = (entry["size"], entry["mtime_ns"]) == (status.st_size, status.st_mtime_ns)
                return entry if same else None
            except (ValueError, KeyError, TypeError):
                return None
        if os.path.dirname(folder) == folder:
            return None
        folder = os.path.dirname(folder)
    return None
