"""Removals that cannot leave their folder, even if links change meanwhile."""

from __future__ import annotations

import errno
import os
import stat
from typing import Any

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def remove(path: str, root: str) -> dict[str, Any]:
    """Removes a file or a whole folder strictly beneath `root`. Links in its parents are resolved;
    a link at its end or in the tree is removed, never followed. Raises OSError."""
    root, parent, name = _resolved(path, root)
    if not os.path.isdir(parent):
        return {"removed": False}
    folder = _open_beneath(root, parent)
    try:
        return {"removed": _remove(name, folder)}
    finally:
        os.close(folder)


def _resolved(path: str, within: str) -> tuple[str, str, str]:
    """The root and the parent without links, and the name in that parent."""
    parent, name = os.path.split(path.rstrip("/"))
    if not path.startswith("/") or not within.startswith("/") or name in ("", ".", ".."):
        raise OSError(errno.EPERM, f"{path} is not removed: it names nothing beneath {within}")
    root, parent = os.path.realpath(within), os.path.realpath(parent)
    if root.count("/") < 2:
        raise OSError(errno.EPERM, f"{path} is not removed: {root} is a folder of the system")
    if parent != root and not parent.startswith(root + "/"):
        raise OSError(errno.EPERM, f"{path} is not removed: it is not beneath {root}")
    return root, parent, name


def _open_beneath(root: str, parent: str) -> int:
    """Opens `parent` step by step from `root`; a link put in between since is an error."""
    folder = os.open(root, _FOLDER)
    for step in parent[len(root) :].split("/"):
        if not step:
            continue
        try:
            beneath = os.open(step, _FOLDER, dir_fd=folder)
        finally:
            os.close(folder)
        folder = beneath
    return folder


def _remove(name: str, folder: int) -> bool:
    """False where it does not exist."""
    try:
        mode = os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
        if not stat.S_ISDIR(mode):
            os.unlink(name, dir_fd=folder)
            return True
        _empty(name, folder)
        os.rmdir(name, dir_fd=folder)
    except FileNotFoundError:
        return False
    return True


def _empty(name: str, folder: int) -> None:
    opened = os.open(name, _FOLDER, dir_fd=folder)
    try:
        for entry in os.listdir(opened):
            _remove(entry, opened)
    finally:
        os.close(opened)
