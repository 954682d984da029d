"""Where links among a model's files lead: what a container needs besides the folder that it is
given, and what a dangling one points to.
"""

from __future__ import annotations

import errno
import os
import stat
from typing import Any

from xgen_deploy.probe.remote.gguf_parts import parts_of
from xgen_deploy.probe.remote.open_to_all import lets

MOST = 40  # links one after the other, as in the kernel
# What images have themselves: no folder of the host's goes over one of these.
_SYSTEM = ("bin", "boot", "dev", "etc", "lib", "lib64", "proc", "run", "sbin", "sys", "usr")


def links(path: str, model_folders: tuple[str, ...]) -> dict[str, Any] | None:
    """Of a file, its further parts, or all in a folder; None where all of it lies in what a
    container is given anyway. Raises OSError."""
    way = _Way(given_to_container(path, model_folders))
    for file in _files(path):
        way.follow(file)
    folders = way.given[1:]
    if not folders and way.lost is None:
        return None
    closed = (f for f in folders if os.path.isdir(f) and not lets(f, stat.S_IXOTH))
    return {"folders": folders, "closed": next(closed, None), "lost": way.lost}


def given_to_container(path: str, model_folders: tuple[str, ...]) -> str:
    """The folder that it has a model from: the first of `model_folders` that the model is in, else
    the model's own."""
    folder = path if os.path.isdir(path) else os.path.dirname(path)
    given = next((f for f in model_folders if _is_in(path, f)), folder)
    return given.rstrip("/") or "/"


def dangling(path: str) -> str | None:
    """What a path that is not there leads to, as a clause; None where no link is the reason."""
    try:
        os.stat(path)
    except OSError as error:
        if error.errno == errno.ELOOP:
            return "is a link that leads back to itself"
    target = os.path.realpath(path)
    if os.path.islink(path):
        return f"is a link to {target}, which is not there"
    if not os.path.isdir(os.path.dirname(path)) and target != os.path.normpath(path):
        return f"leads through a link to {target}, which is not there"
    return None


class _Way:
    """`given` are what a container has of the host, each under its own path. `lost` is a link that
    it would not find the end of."""

    def __init__(self, folder: str) -> None:
        self.given = [folder]
        self.lost: str | None = None

    def follow(self, path: str) -> None:
        for _ in range(MOST):
            link, rest = self._first_link(path)
            if link is None:
                return
            target = os.path.normpath(os.path.join(os.path.dirname(link), os.readlink(link)))
            same = os.path.realpath(target) == os.path.realpath(link)
            if not same or not self._give(target):
                self.lost = self.lost or f"{link} is a link to {os.path.realpath(link)}"
                return
            path = os.path.join(target, *rest)

    def _first_link(self, path: str) -> tuple[str | None, list[str]]:
        """The first one beneath the innermost of `given`, and the rest of the path; what is above
        it a mount has followed."""
        holder = max((g for g in self.given if _is_in(path, g)), key=len)
        place, rest = holder, [n for n in path[len(holder) :].split("/") if n]
        while rest:
            place = os.path.join(place, rest.pop(0))
            if os.path.islink(place):
                return place, rest
        return None, []

    def _give(self, target: str) -> bool:
        """A folder, or that of a file; a file itself where that is the system's or right below the
        root."""
        if any(_is_in(target, g) for g in self.given):
            return True
        if os.path.isdir(target):
            if target in ("/", "/tmp") or _is_system(target):  # noqa: S108 - each has its own /tmp
                return False
            self.given.append(target)
            return True
        folder = os.path.dirname(target)
        own = folder.count("/") < 2 or _is_system(folder)
        self.given.append(target if own else folder)
        return True


def _files(path: str) -> list[str]:
    if not os.path.isdir(path):
        return parts_of(path)
    files = [path]
    for place, folders, names in os.walk(path):
        inside = [os.path.join(place, name) for name in sorted(folders + names)]
        files += [p for p in inside if os.path.islink(p) and os.path.exists(p)]
    return files


def _is_system(path: str) -> bool:
    return path.split("/")[1] in _SYSTEM


def _is_in(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")
