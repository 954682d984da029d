"""Files and folders as they lie there, and the project's own record."""

from __future__ import annotations

import os
import stat
from typing import Any

from xgen_deploy.bounded_json import read_json
from xgen_deploy.probe.remote.reading import read_text
from xgen_deploy.probe.remote.sha256 import sha256 as new_digest

HASHED = 1 << 20
RECORD = 16 << 20
MOST = 1000
# The formats of `engines.json` and `models.json`. 0.1.0 hands on whatever a file of format 1 holds,
# and refuses fields that it does not know: a new field of GGUFFacts takes a new format.
LEARNED = {"engines": 1, "models": 2}


def asked_files(paths: list[str], etc_dir: str) -> dict[str, Any]:
    return {
        "files": [file_facts(path, hashed=True) for path in paths],
        "etc_files": list_folder(etc_dir),
    }


def record(state_dir: str) -> dict[str, Any]:
    """The project's record, or why it cannot be read."""
    path = os.path.join(state_dir, "record.json")
    try:
        with open(path, "rb") as file:
            content = file.read(RECORD + 1)
            if len(content) > RECORD:
                return {"record": None, "record_error": f"{path}: is longer than 16 MiB"}
            return {"record": content.decode("utf-8"), "record_error": None}
    except (FileNotFoundError, NotADirectoryError):
        return {"record": None, "record_error": None}
    except OSError as error:
        return {"record": None, "record_error": f"{path}: {error.strerror}"}
    except UnicodeDecodeError:
        return {"record": None, "record_error": f"{path}: is not text"}


def learned(state_dir: str, name: str) -> dict[str, Any]:
    """What apply recorded of engine builds or models that were asked before, by their state."""
    try:
        stored = read_json(read_text(os.path.join(state_dir, name + ".json"), RECORD) or "", RECORD)
        return dict(stored[name]) if stored["format"] == LEARNED[name] else {}
    except (ValueError, KeyError, TypeError):
        return {}


def watchdog_state(state_dir: str) -> str | None:
    """What the timer that looks after the engines remembers."""
    return read_text(os.path.join(state_dir, "heal.state"), 1 << 20)


def list_folder(folder: str) -> list[dict[str, Any]]:
    """Everything beneath a folder, without contents or digests: secrets lie there."""
    files = []
    for place, folders, names in os.walk(folder):
        for name in sorted(folders + names):
            files.append(file_facts(os.path.join(place, name), hashed=False))
            if len(files) >= MOST:
                return files
    exists = file_facts(folder, hashed=False)["kind"] != "absent"
    if exists and not os.access(folder, os.R_OK | os.X_OK):
        return [{"path": folder, "kind": "denied"}]
    return files


def file_facts(path: str, hashed: bool) -> dict[str, Any]:
    """A link is followed where the digest is wanted, and shown as `other` where it is not."""
    try:
        status = os.stat(path) if hashed else os.lstat(path)
    except PermissionError:
        return {"path": path, "kind": "denied"}
    except OSError:
        return {"path": path, "kind": "absent"}
    kind = "other"
    if stat.S_ISREG(status.st_mode):
        kind = "file"
    elif stat.S_ISDIR(status.st_mode):
        kind = "dir"
    small = kind == "file" and status.st_size <= HASHED
    return {
        "path": path,
        "kind": kind,
        "size": status.st_size if kind == "file" else None,
        "mode": stat.S_IMODE(status.st_mode),
        "uid": status.st_uid,
        "sha256": sha256(path) if hashed and small else None,
    }


def sha256(path: str) -> str | None:
    try:
        with open(path, "rb") as file:
            content = file.read(HASHED + 1)
            return new_digest(content).hexdigest() if len(content) <= HASHED else None
    except OSError:
        return None


def owner(path: str) -> int | None:
    """The user id that a file belongs to."""
    try:
        return os.stat(path).st_uid
    except OSError:
        return None


def file_state(paths: list[str]) -> str:
    """A short digest that changes with any file's place, size, time or inode."""
    digest = new_digest()
    for path in paths:
        status = os.stat(path)
        line = (os.path.realpath(path), status.st_size, status.st_mtime_ns, status.st_ino)
        digest.update(repr(line).encode())
    return str(digest.hexdigest())[:16]
