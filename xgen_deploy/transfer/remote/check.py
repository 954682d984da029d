"""Reads files that were brought whole, and says which chunks are not as they were. It is noted too:
the next fetch brings those again.

What was read is noted beside the notes until all of a folder is, so that the next try goes on where
this one was cut.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from typing import Callable

from xgen_deploy.transfer.remote import stock
from xgen_deploy.transfer.remote.brought import FOLDER, note_damage
from xgen_deploy.transfer.remote.part import File, Wrong, read_back
from xgen_deploy.transfer.remote.stock import Brought

JOURNAL = ".checked"
Tell = Callable[..., None]


def check(root: str, tell: Tell) -> None:
    """Tells `checked` of every file, `bytes` meanwhile. Raises OSError."""
    folder = os.path.join(root, FOLDER)
    if not os.path.isdir(folder):
        return
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
    path = os.path.join(folder, JOURNAL)
    journal = os.open(path, flags, 0o600)
    try:
        try:
            fcntl.flock(journal, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise OSError(11, "another `models verify` reads these files", root) from None
        done = set(os.pread(journal, 4 << 20, 0).decode("ascii", "replace").split("\n"))
        for note in stock.notes(root):
            _check(root, note, done, journal, tell)
        with contextlib.suppress(OSError):
            os.unlink(path)
    finally:
        os.close(journal)


def _check(root: str, note: Brought, done: set[str], journal: int, tell: Tell) -> None:
    line = f"{note.name} {note.mtime_ns} {note.at}"
    if line in done and note.state == stock.WHOLE:
        tell("checked", root=root, name=note.name, ok=True, earlier=True)
        return
    if note.state == stock.GONE:
        return
    bad, text = _damage(root, note, tell)
    if text is None:
        os.write(journal, (line + "\n").encode("ascii"))
    with contextlib.suppress(OSError, ValueError):  # it is told all the same
        note_damage(root, note.name, text is not None)
    tell("checked", root=root, name=note.name, ok=text is None, chunks=bad, text=text or "")


def _damage(root: str, note: Brought, tell: Tell) -> tuple[list[int], str | None]:
    """The chunks that are damaged where that is known, and what is wrong; None: nothing."""
    file = File(note.place, note.size, note.sha256, note.sha1)
    known = stock.noted_chunks(root, note.name)
    try:
        fd = os.open(note.place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        return [], f"it cannot be read: {error.strerror}"
    try:
        size = os.fstat(fd).st_size
        if size != note.size:
            return [], f"it has {size} bytes, not {note.size}"
        digests, chunks = read_back(fd, file, lambda count: tell("read", count=count))
        digests.check()
    except Wrong as error:
        pairs = zip(chunks, known) if len(chunks) == len(known) else ()
        return [k for k, (now, before) in enumerate(pairs) if now != before], str(error)
    except OSError as error:
        return [], f"it cannot be read: {error.strerror}"
    finally:
        os.close(fd)
    return [], None
