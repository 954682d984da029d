"""Whether an engine, which runs as a user of its own, may read a model's files."""

from __future__ import annotations

import os
import stat


def closed_file(path: str) -> str | None:
    """The first file of a model (a file, or all of a folder) that only its owner may read."""
    if not os.path.isdir(path):
        return None if lets(path, stat.S_IROTH) else path
    if not lets(path, stat.S_IROTH | stat.S_IXOTH):
        return path
    for name in sorted(os.listdir(path)):
        inside = os.path.join(path, name)
        if os.path.isfile(inside) and not lets(inside, stat.S_IROTH):
            return inside
    return None


def closed_folder(path: str) -> str | None:
    """The first folder on the way to it that others may not pass."""
    folder = os.path.dirname(os.path.realpath(path))
    closed = None
    while folder != "/":
        if not lets(folder, stat.S_IXOTH):
            closed = folder
        folder = os.path.dirname(folder)
    return closed


def closed_inside(path: str, given: str) -> str | None:
    """The same from `given` on: what is above it does not matter to a container that has it."""
    folder = path if os.path.isdir(path) else os.path.dirname(path)
    closed = None
    while folder.startswith(given) and folder != "/":
        if not lets(folder, stat.S_IXOTH):
            closed = folder
        folder = os.path.dirname(folder)
    return closed


def lets(path: str, bits: int) -> bool:
    """Where an access list says who may, the mode does not tell."""
    if os.stat(path).st_mode & bits == bits:
        return True
    try:
        os.getxattr(path, "system.posix_acl_access")
    except OSError:
        return False
    return True
