"""How fast the last transfer came to this host, noted in the folder of models for the next plan
(probe/remote/rates.py). Hosts that share the folder have notes of their own.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import time
from typing import Any, Callable

from xgen_deploy.transfer.remote.names import make_text

FOLDER = ".xgen/rates"
# Less tells nothing of a rate.
LEAST = 64 << 20
SHORTEST = 1.0


class Measured:
    """Hears what is told of a transfer, and tells it on."""

    def __init__(self, tell: Callable[..., None]) -> None:
        self._tell = tell
        self._began: float | None = None
        self._last = 0.0
        self._count = 0

    def __call__(self, event: str, **more: Any) -> None:
        if event == "bytes":
            self._last = time.monotonic()
            if self._began is None:
                self._began = self._last
            else:
                self._count += more["count"]
        self._tell(event, **more)

    def note(self, root: str, route: str) -> None:
        """Once all of it came."""
        seconds = self._last - (self._began or 0.0)
        if self._began is None or self._count < LEAST or seconds < SHORTEST:
            return
        name = re.sub(r"[^A-Za-z0-9._-]", "_", os.uname().nodename)
        rate = {"bytes": self._count, "seconds": round(seconds, 3), "at": time.time()}
        with contextlib.suppress(OSError):
            make_text(os.path.join(root, FOLDER, f"{name}.{route}.json"), json.dumps(rate))
