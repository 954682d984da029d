"""What was brought to a folder of models, noted in that folder: several projects and hosts may
share it.

A note is named by the file's inode and holds while its size and time are the same, so that whoever
looks knows the content without reading it (probe/remote/content_state.py).
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import stat
import time
from typing import Any

from xgen_deploy.transfer.remote.part import File, is_digest

FOLDER = ".xgen/files"
CHUNKS = ".chunks"
NOTE = 64 << 10
MOST_CHUNKS = 16 << 20


def note_brought(
    root: str,
    file: File,
    sha256: str,
    chunks: list[str],
    origin: str,
    *,
    found: bool = False,
    more: dict[str, str] | None = None,
) -> None:
    """`root` is the folder of models. `found`: somebody else's file, which was right as it was.
    `more` is what it was made of. Raises OSError."""
    status = os.stat(file.place)
    entry: dict[str, Any] = {
        "found": found,
        "place": file.place,
        "size": status.st_size,
        "mtime_ns": status.st_mtime_ns,
        "sha256": sha256 or None,
        "sha1": file.sha1,
        "by_length": file.sha256 is None and file.sha1 is None,
        "origin": origin,
        "at": time.time(),
        "chunks": _digest("\n".join(chunks)),
        **(more or {}),
    }
    entry["check"] = _check(entry)
    folder = os.path.join(root, FOLDER)
    os.makedirs(folder, exist_ok=True)
    name = _note(root, status)
    _write(name + CHUNKS, "\n".join(chunks))
    _write(name + ".json", json.dumps(entry))


def brought(root: str) -> list[dict[str, Any]]:
    """All notes that still hold of what was brought, each with its own path as `note`; what cannot
    be read is left out."""
    folder = os.path.join(root, FOLDER)
    entries = []
    with contextlib.suppress(OSError):
        for name in sorted(os.listdir(folder)):
            if not name.endswith(".json"):
                continue
            with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
                path = os.path.join(folder, name)
                entry = _entry(path)
                if holds(entry, os.stat(entry["place"])) and not entry.get("found"):
                    entries.append(dict(entry, note=path))
    return entries


def holds(entry: dict[str, Any], status: os.stat_result) -> bool:
    return (entry["size"], entry["mtime_ns"]) == (status.st_size, status.st_mtime_ns)


def note_damage(root: str, name: str, damaged: bool) -> None:
    """At the note `name`, whether its file was found damaged. Raises OSError and ValueError."""
    path = os.path.join(root, FOLDER, name + ".json")
    entry = _entry(path)
    if entry.pop("damaged", False) != damaged:
        entry.update({"damaged": True} if damaged else {})
        entry["check"] = _check(entry)
        _write(path, json.dumps(entry))


def is_noted(root: str, file: File) -> bool:
    """Whether a note of the file in its place holds, and is all as it was written."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
        status = os.stat(file.place)
        entry = _read(root, status)
        whole = entry.get("check") in (None, _check(entry)) and not entry.get("damaged")
        return whole and holds(entry, status) and _chunks(root, status, entry) is not None
    return False


def is_ours(root: str, file: File) -> bool:
    """Whether the file in its place was brought, as far as a note of it can be read."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        entry = _read(root, os.stat(file.place))
        return entry["place"] == file.place and entry["found"] is False
    return False


def noted_chunks(root: str, file: File) -> list[str]:
    """The digests of its chunks when it was brought, whatever became of it; [] where that is not
    known."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
        status = os.stat(file.place)
        entry = _read(root, status)
        if file.content in (entry["sha256"], entry["sha1"]):
            return _chunks(root, status, entry) or []
    return []


def _chunks(root: str, status: os.stat_result, entry: dict[str, Any]) -> list[str] | None:
    """None where they are not as they were noted."""
    text = read_plain(_note(root, status) + CHUNKS, MOST_CHUNKS).decode("utf-8")
    chunks = text.split()
    whole = entry.get("chunks") in (None, _digest(text)) and all(map(is_digest, chunks))
    return chunks if whole else None


def _read(root: str, status: os.stat_result) -> dict[str, Any]:
    return _entry(_note(root, status) + ".json")


def _entry(path: str) -> dict[str, Any]:
    """Raises OSError and ValueError."""
    entry: dict[str, Any] = json.loads(read_plain(path, NOTE).decode("utf-8"))
    return entry


def _check(entry: dict[str, Any]) -> str:
    """What tells that a bit of it turned."""
    rest = {key: value for key, value in entry.items() if key != "check"}
    return _digest(json.dumps(rest, sort_keys=True))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _note(root: str, status: os.stat_result) -> str:
    return os.path.join(root, FOLDER, str(status.st_ino))


def _write(path: str, text: str) -> None:
    """By way of a draft of one name, so that those that a cut left do not pile up."""
    draft = f"{path}.draft"
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    with open(os.open(draft, flags, 0o644), "w", encoding="utf-8") as file:
        file.write(text)
    with contextlib.suppress(FileNotFoundError):  # another host of this folder was faster
        os.replace(draft, path)


def read_plain(path: str, most: int) -> bytes:
    """Of a plain file, no link and no pipe. Raises OSError."""
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise OSError(22, "is not a plain file", path)
        return os.read(fd, most)
    finally:
        os.close(fd)
