"""Files that were made on this host of others, by llama.cpp's quantizer: found by their source as
it is stated, even where that is gone. The notes tell what they were made of
(transfer/remote/quantize.py).
"""

from __future__ import annotations

import contextlib
import fcntl
import glob
import json
import os
from typing import Any

from xgen_deploy.probe.remote.content_state import FOLDER as NOTES
from xgen_deploy.probe.remote.content_state import NOTE
from xgen_deploy.probe.remote.reading import read_text
from xgen_deploy.probe.remote.sha256 import sha256

FOLDER = "xgen/quantized"
DRAFT = ".draft"
STATE = "recipe:"
MOST = 200


def made(model_dir: str, key: str, source_state: str | None) -> dict[str, Any] | None:
    """The note of the newest that was made of it, with its path; of that very content where
    `source_state` is known."""
    folder = os.path.join(model_dir, FOLDER, sha256(key.encode()).hexdigest()[:16])
    try:
        names = sorted(os.listdir(folder))[:MOST]
    except OSError:
        return None
    notes = [note for name in names if name.endswith(".gguf")
             for note in [_note(model_dir, os.path.join(folder, name))] if note]  # fmt: skip
    fitting = [n for n in notes if source_state in (None, n["of"])]
    return max(fitting, key=lambda n: n["at"], default=None)


def _note(model_dir: str, path: str) -> dict[str, Any] | None:
    """None where none holds."""
    try:
        status = os.stat(path)
        text = read_text(os.path.join(model_dir, NOTES, f"{status.st_ino}.json"), NOTE)
        note = json.loads(text or "")
        same = (note["size"], note["mtime_ns"]) == (status.st_size, status.st_mtime_ns)
        told = {"of": str(note["of"]), "by": str(note["by"]), "recipe": str(note["recipe"])}
        right = same and not note.get("damaged")
        return dict(told, at=float(note["at"]), path=path) if right else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def leftover(model_dir: str) -> int:
    """Bytes of drafts that nobody works at any more: whoever makes the next file removes them
    first, and has the lock of its folder meanwhile."""
    total = 0
    for draft in glob.glob(os.path.join(glob.escape(model_dir), FOLDER, "*", f".*{DRAFT}")):
        with contextlib.suppress(OSError):
            fd = os.open(os.path.dirname(draft), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
                files = (os.path.join(draft, name) for name in os.listdir(draft))
                total += sum(os.lstat(file).st_blocks * 512 for file in files)
            finally:
                os.close(fd)
    return total
