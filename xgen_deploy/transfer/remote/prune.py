"""Removes files that were brought, with the links, references and notes that belong to them, and
with the archive of an engine build what was unpacked out of it."""

from __future__ import annotations

import contextlib
import os
import re
from typing import Any, Callable

from xgen_deploy.transfer.remote import built, stock
from xgen_deploy.transfer.remote.beneath import remove_empty, unlink
from xgen_deploy.transfer.remote.brought import CHUNKS, FOLDER, read_plain
from xgen_deploy.transfer.remote.open_files import open_inodes
from xgen_deploy.transfer.remote.stock import Brought

_SNAPSHOT = re.compile(r"^.*/snapshots/([0-9a-f]{40})")
_COMMIT = 40
Tell = Callable[..., None]


def prune(root: str, chosen: list[dict[str, Any]], keep: list[str], tell: Tell) -> None:
    """`chosen` are files by note, time and when they were noted; `keep` are the paths that are
    needed. Tells of each whether it went, and why not."""
    real, links, opened = os.path.realpath(root), stock.links(root), open_inodes()
    snapshots: set[str] = set()
    for item in [item for item in chosen if item.get("state") == built.UNPACKED]:
        _prune_build(root, real, item, opened, tell)
    for item in [item for item in chosen if item.get("state") != built.UNPACKED]:
        note = stock.read_note(root, real, item["name"])
        why = _why_not(real, note, item, opened)
        if note is None or why is not None:
            tell("kept", root=root, name=item["name"], text=why or "")
            continue
        found = links.get(note.place, [])
        try:
            _remove(root, real, note, found)
        except OSError as error:
            text = f"{error.strerror or error} ({note.place})"
            tell("kept", root=root, name=note.name, text=text)
            continue
        tell("removed", root=root, name=note.name, size=note.size)
        snapshots.update(match[0] for match in map(_SNAPSHOT.match, found) if match)
    for snapshot in snapshots:
        _tidy(real, snapshot, keep)


def _prune_build(root: str, real: str, item: dict[str, Any], opened: set[int], tell: Tell) -> None:
    """One whose archive is gone."""
    name = item["name"]
    alike = (b for b in built.without_archive(root, stock.notes(root)) if b.name == name)
    build = next(alike, None)
    if build is None or (build.mtime_ns, build.at) != (item["mtime_ns"], item["at"]):
        tell("kept", root=root, name=name, text="it was brought anew meanwhile")
        return
    folder = os.path.dirname(build.place)
    if not opened.isdisjoint(built.inodes(folder)):
        tell("kept", root=root, name=name, text="a process has it open")
        return
    try:
        with built.going(real, folder):
            pass
    except OSError as error:
        text = f"{error.strerror or error} ({folder})"
        tell("kept", root=root, name=name, text=text)
        return
    remove_empty(real, folder)
    tell("removed", root=root, name=name, size=build.size)


def forget_gone(root: str) -> None:
    """Notes of files that are not there any more."""
    real = os.path.realpath(root)
    for note in stock.notes(root):
        if note.state == stock.GONE:
            _forget(root, real, note.name)


def _why_not(real: str, note: Brought | None, item: dict[str, Any], opened: set[int]) -> str | None:
    if note is None or (note.mtime_ns, note.at) != (item["mtime_ns"], item["at"]):
        return "it was brought anew meanwhile"
    if note.found:
        return "it lay there before anything was brought"
    if note.state != stock.WHOLE:
        return "it is not the file that was brought any more"
    build = built.folder_of(real, note.place)
    inodes = built.inodes(build) if build is not None else set()
    if not opened.isdisjoint({int(note.name), *inodes}):
        return "a process has it open"
    return None


def _remove(root: str, real: str, note: Brought, links: list[str]) -> None:
    for link in links:
        unlink(real, link)
        remove_empty(real, os.path.dirname(link))
    build = built.folder_of(real, note.place)
    with built.going(real, build) if build is not None else contextlib.nullcontext():
        unlink(real, note.place, int(note.name))
        _forget(root, real, note.name)
    remove_empty(real, os.path.dirname(note.place))


def _forget(root: str, real: str, name: str) -> None:
    for ending in (".json", CHUNKS):
        with contextlib.suppress(OSError):
            unlink(real, os.path.join(os.path.realpath(root), FOLDER, name + ending))


def _tidy(real: str, snapshot: str, keep: list[str]) -> None:
    """A snapshot that lost files goes as a whole where nothing needs it, with what refers to it."""
    if not any(_one_above_other(path.rstrip("/"), snapshot) for path in keep):
        for place, _, names in os.walk(snapshot, topdown=False):
            for name in names:
                path = os.path.join(place, name)
                if os.path.islink(path):
                    unlink(real, path)
            remove_empty(real, place)
    if os.path.isdir(snapshot):
        return
    commit, model = os.path.basename(snapshot), os.path.dirname(os.path.dirname(snapshot))
    for place, _, names in os.walk(os.path.join(model, "refs")):
        for name in names:
            path = os.path.join(place, name)
            if _text(path) == commit:
                unlink(real, path)
        remove_empty(real, place)
    with contextlib.suppress(OSError):
        unlink(real, os.path.join(model, "trees", commit + ".json"))
    for name in ("trees", "refs", "blobs", "snapshots"):
        remove_empty(real, os.path.join(model, name))


def _one_above_other(path: str, snapshot: str) -> bool:
    return (path + "/").startswith(snapshot + "/") or snapshot.startswith(path + "/")


def _text(path: str) -> str:
    with contextlib.suppress(OSError, ValueError):
        return read_plain(path, _COMMIT + 2).decode("ascii").strip()
    return ""
