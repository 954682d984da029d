"""Files that were made on this host of others, by llama.cpp's quantizer: found by their source as
it is stated, even where that is gone. The notes tell what they were made of
(transfer/remote/quantize.py).
"""

from __future__ import annotations

import json
import os
from typing import Any

from xgen_deploy.probe.remote.content_state import FOLDER as NOTES
from xgen_deploy.probe.remote.content_state import NOTE
from xgen_deploy.probe.remote.reading import read_text
from xgen_deploy.probe.remote.sha256 import sha256

FOLDER = "xgen/quantized"
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
        return dict(told, at=float(note["at"]), path=path) if same else None
    except (OSError, ValueError, KeyError, TypeError):
        return None
