"""Files and folders, written atomically."""

from __future__ import annotations

import base64
import contextlib
import os
from typing import Any


def write_file(path: str, content: str, mode: int, uid: int, gid: int) -> dict[str, Any]:
    """`content` is base64. Raises OSError, leaving the old file as it was."""
    folder, name = os.path.split(path)
    new = os.path.join(folder, f".{name}.xgen-new")
    _discard(new)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    handle = os.open(new, flags, 0o600)
    try:
        with os.fdopen(handle, "wb", buffering=0) as file:
            _own(handle, uid, gid)
            os.fchmod(handle, mode)
            rest = memoryview(base64.b64decode(content))
            while rest:
                rest = rest[file.write(rest) :]
            os.fsync(handle)
        os.rename(new, path)
    except BaseException:
        _discard(new)
        raise
    _sync(folder)
    return {}


def make_dir(path: str, mode: int, uid: int, gid: int) -> dict[str, Any]:
    """Parents are created with mode 0755 whatever the umask. Raises OSError."""
    path = path.rstrip("/")
    missing = []
    parent = os.path.dirname(path)
    while parent and not os.path.isdir(parent):
        missing.append(parent)
        parent = os.path.dirname(parent)
    for folder in reversed(missing):
        with contextlib.suppress(FileExistsError):  # another apply may create it at the same time
            os.mkdir(folder)
            os.chmod(folder, 0o755)  # noqa: S103
    with contextlib.suppress(FileExistsError):
        os.mkdir(path, 0o700)
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        _own(handle, uid, gid)
        os.fchmod(handle, mode)
    finally:
        os.close(handle)
    return {}


def read_file(path: str, offset: int, limit: int) -> dict[str, Any]:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return {"content": None}
    with os.fdopen(handle, "rb") as file:
        if offset:
            file.seek(offset)
        return {"content": base64.b64encode(file.read(limit)).decode()}


def _own(handle: int, uid: int, gid: int) -> None:
    """Sets the owner; without root, files for root keep the current user."""
    if os.geteuid() == 0 or (uid, gid) != (0, 0):
        os.fchown(handle, uid, gid)


def _discard(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)


def _sync(folder: str) -> None:
    handle = os.open(folder or ".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
