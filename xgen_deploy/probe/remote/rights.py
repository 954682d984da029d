"""What keeps this login from changing the host: folders, and programs that it may not start."""

from __future__ import annotations

import fcntl
import os
import struct
from typing import Any

from xgen_deploy.probe.remote.commands import run, which

PATIENCE = 5.0
GET_FLAGS = 0x80086601  # FS_IOC_GETFLAGS of <linux/fs.h>, on 64 bits
IMMUTABLE = 0x10


def rights(folders: list[str]) -> dict[str, Any]:
    """`folders` are to be written, or made first. Nothing is written to find out."""
    closed = []
    for folder in folders:
        at = existing(folder)
        why = unwritable(at)
        if why is not None:
            closed.append({"path": folder, "at": at, "why": why})
    return {"unwritable": closed, "exec_error": exec_error()}


def existing(folder: str) -> str:
    """The folder itself, or the one in which it would be made; links resolved."""
    while not os.path.isdir(folder) and folder != os.path.dirname(folder):
        folder = os.path.dirname(folder)
    return os.path.realpath(folder)


def unwritable(folder: str) -> str | None:
    """As in UnwritableFolder; None where it can be written."""
    if os.statvfs(folder).f_flag & os.ST_RDONLY:
        return "read-only"
    if flags(folder) & IMMUTABLE:
        return "immutable"
    return None if os.access(folder, os.W_OK | os.X_OK) else "denied"


def flags(folder: str) -> int:
    """Those of chattr(1); 0 where the file system has none."""
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        return 0
    try:
        return int(struct.unpack("l", fcntl.ioctl(handle, GET_FLAGS, b"\0" * 8))[0])
    except (OSError, struct.error):
        return 0
    finally:
        os.close(handle)


def exec_error() -> str | None:
    """Why no program can be started, as under sudo's `noexec`."""
    program = which("true")
    if program is None:
        return None
    answer = run([program], PATIENCE)
    return answer.problem if answer.code == 127 else None
