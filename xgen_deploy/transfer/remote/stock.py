"""What lies in a folder of models: the files that were brought, by their notes, and others.

Whoever may write to the folder may have written the notes: what they say is looked at, and counts
where the file agrees.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
from typing import Any, Iterator, NamedTuple

from xgen_deploy.transfer.remote.brought import CHUNKS, FOLDER, MOST_CHUNKS, NOTE, read_plain

MOST_NOTES = 20_000
MOST_SEEN = 200_000
LONGEST = 1000
ENDINGS = (".gguf", ".safetensors", ".bin", ".pt", ".pth", ".ckpt")
WHOLE, CHANGED, GONE = "whole", "changed", "gone"
_KINDS = {"place": (str,), "size": (int,), "mtime_ns": (int,), "origin": (str,), "at": (int, float)}


class Brought(NamedTuple):
    """A note: `name` is the file's inode. `place` is without links in its folders. `found`: it lay
    there already."""

    name: str
    place: str
    size: int
    mtime_ns: int
    sha256: str | None
    sha1: str | None
    origin: str
    at: float
    found: bool

    @property
    def state(self) -> str:
        """Whether the file is still the one that was brought, by its size, time and inode."""
        try:
            status = os.lstat(self.place)
        except OSError:
            return GONE
        if str(status.st_ino) != self.name or not stat.S_ISREG(status.st_mode):
            return GONE
        same = (status.st_size, status.st_mtime_ns) == (self.size, self.mtime_ns)
        return WHOLE if same else CHANGED


def notes(root: str) -> Iterator[Brought]:
    """Of files beneath the folder."""
    folder, real = os.path.join(root, FOLDER), os.path.realpath(root)
    names: list[str] = []
    with contextlib.suppress(OSError):
        names = sorted(os.listdir(folder))
    for name in names[:MOST_NOTES]:
        stem, ending = os.path.splitext(name)
        if ending == ".json" and stem.isdigit():
            note = read_note(root, real, stem)
            if note is not None:
                yield note


def read_note(root: str, real: str, name: str) -> Brought | None:
    """None where there is none, or it is of no file beneath the folder, which is `real` without
    links."""
    try:
        text = read_plain(os.path.join(root, FOLDER, name + ".json"), NOTE)
        entry = json.loads(text.decode("utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(entry, dict) or not _well_formed(entry):
        return None
    folder, base = os.path.split(entry["place"])
    place = os.path.join(os.path.realpath(folder), base)
    if not base or not place.startswith(real + "/"):
        return None
    return Brought(
        name, place, entry["size"], entry["mtime_ns"], entry.get("sha256"), entry.get("sha1"),
        entry["origin"][:LONGEST], float(entry["at"]), entry.get("found") is True,
    )  # fmt: skip


def _well_formed(entry: dict[str, Any]) -> bool:
    digests = (entry.get("sha256"), entry.get("sha1"))
    return all(type(entry.get(key)) in kinds for key, kinds in _KINDS.items()) and all(
        digest is None or (type(digest) is str and len(digest) in (40, 64)) for digest in digests
    )


def noted_chunks(root: str, name: str) -> list[str]:
    """The SHA-256 of each 16 MiB, as they were when the file was brought."""
    try:
        text = read_plain(os.path.join(root, FOLDER, name + CHUNKS), MOST_CHUNKS)
        return text.decode("ascii").split()
    except (OSError, ValueError):
        return []


def links(root: str) -> dict[str, list[str]]:
    """The links of Hugging Face's cache, by the file that they lead to."""
    found: dict[str, list[str]] = {}
    hub = os.path.join(os.path.realpath(root), "hub")
    for path in _walked(hub):
        if "/snapshots/" in path[len(hub) :] and os.path.islink(path):
            found.setdefault(os.path.realpath(path), []).append(path)
    return found


def others(root: str, but: set[str]) -> Iterator[tuple[str, int]]:
    """Files of models with their sizes, without those of the places `but`."""
    real = os.path.realpath(root)
    for path in _walked(real):
        is_blob = os.path.basename(os.path.dirname(path)) == "blobs"
        if path in but or not (is_blob or path.endswith(ENDINGS)):
            continue
        with contextlib.suppress(OSError):
            status = os.lstat(path)
            if stat.S_ISREG(status.st_mode):
                yield path, status.st_size


def _walked(folder: str) -> Iterator[str]:
    """Every file and link beneath it, up to a limit; no link is followed."""
    seen = 0
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if name != ".xgen")
        seen += len(folders) + len(names)
        if seen > MOST_SEEN:
            return
        for name in sorted(names):
            yield os.path.join(place, name)
