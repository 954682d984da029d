"""The state of an engine build that was brought in an archive, which is the same on every host
(transfer/remote/engine_build.py).
"""

from __future__ import annotations

import json
import os
from typing import Any

from xgen_deploy.probe.remote.reading import read_text
from xgen_deploy.probe.remote.sha256 import sha256

LIST = ".json"
LONGEST = 4 << 20
MOST_LEVELS = 16


def build_state(program: str, libraries: list[str]) -> str | None:
    """None where it is none, or where of these files any is not as it was unpacked. As
    files/places.py, build_state."""
    folder = os.path.dirname(program)
    for _ in range(MOST_LEVELS):
        text = read_text(folder + LIST, LONGEST)
        if text is not None:
            try:
                return _known(json.loads(text), folder, [program, *libraries])
            except (OSError, ValueError, KeyError, TypeError):
                return None
        if os.path.dirname(folder) == folder:
            return None
        folder = os.path.dirname(folder)
    return None


def _known(build: dict[str, Any], folder: str, paths: list[str]) -> str | None:
    files = build["files"]
    for path in paths:
        path = os.path.realpath(path)
        status = os.stat(path)
        now = [status.st_size, status.st_mtime_ns, status.st_ino]
        if files[os.path.relpath(path, os.path.realpath(folder))] != now:
            return None
    name = os.path.relpath(paths[0], folder)
    return "sha256:" + str(sha256(f"{name} {build['archive']}".encode()).hexdigest())
