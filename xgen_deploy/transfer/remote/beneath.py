"""Removals strictly beneath a folder, even if links change meanwhile: every step down is opened
without following one.
"""

from __future__ import annotations

import contextlib
import os

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def unlink(real: str, path: str, inode: int | None = None) -> None:
    """A file or a link, that link itself; where `inode` is stated only a file that has it. `real`
    is the folder without links in its own path. Raises OSError."""
    parent, name = os.path.split(path)
    folder = open_folder(real, parent)
    try:
        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
        if inode is not None and status.st_ino != inode:
            raise OSError(2, "another file lies there now", path)
        os.unlink(name, dir_fd=folder)
    finally:
        os.close(folder)


def remove_empty(real: str, path: str) -> None:
    """The folder, and those above it, as far as they are empty."""
    while path.startswith(real + "/"):
        parent, name = os.path.split(path)
        try:
            folder = open_folder(real, parent)
        except OSError:
            return
        try:
            os.rmdir(name, dir_fd=folder)
        except FileNotFoundError:
            pass
        except OSError:
            return
        finally:
            os.close(folder)
        path = parent


def remove_tree(folder: int, name: str) -> None:
    """A folder with all that is in it, by the descriptor of the one that it lies in; nothing where
    there is none. Raises OSError."""
    if name not in os.listdir(folder):
        return
    for _, folders, names, at in os.fwalk(name, topdown=False, dir_fd=folder):
        for each in names:
            os.unlink(each, dir_fd=at)
        for each in folders:
            try:
                os.rmdir(each, dir_fd=at)
            except NotADirectoryError:  # a link to one
                os.unlink(each, dir_fd=at)
    os.rmdir(name, dir_fd=folder)


def open_folder(real: str, parent: str) -> int:
    """Of a folder beneath `real`, without following a link. Raises OSError."""
    if parent != real and not parent.startswith(real + "/"):
        raise OSError(1, f"is not beneath {real}", parent)
    folder = os.open(real, _FOLDER)
    for step in filter(None, parent[len(real) :].split("/")):
        if step in (".", ".."):
            os.close(folder)
            raise OSError(1, f"is not beneath {real}", parent)
        try:
            below = os.open(step, _FOLDER, dir_fd=folder)
        finally:
            with contextlib.suppress(OSError):
                os.close(folder)
        folder = below
    return folder
