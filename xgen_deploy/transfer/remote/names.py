"""Links and small texts get their names at once, whole. Drafts are hidden, and have one name each,
so that those that a cut left do not pile up."""

from __future__ import annotations

import contextlib
import os

from xgen_deploy.transfer.remote.journal import sync_folder


def make_link(path: str, target: str) -> None:
    """One that is there gives way."""
    with contextlib.suppress(OSError):
        if os.readlink(path) == target:
            return
    draft = _draft(path)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(draft)
    with contextlib.suppress(FileExistsError):  # another transfer of the same
        os.symlink(target, draft)
    _name(draft, path)


def make_text(path: str, content: str) -> None:
    draft = _draft(path)
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    with open(os.open(draft, flags, 0o644), "w", encoding="utf-8") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    _name(draft, path)


def _draft(path: str) -> str:
    folder, name = os.path.split(path)
    os.makedirs(folder, exist_ok=True)
    short = os.fsencode(name)[:200].decode(errors="ignore")
    return os.path.join(folder, f".{short}.xgen-draft")


def _name(draft: str, path: str) -> None:
    with contextlib.suppress(FileNotFoundError):  # another transfer of the same was faster
        os.replace(draft, path)
    sync_folder(os.path.dirname(path))
