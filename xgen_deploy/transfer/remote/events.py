"""What a transfer says while it runs: lines of JSON on standard output, or to whoever hears it."""

from __future__ import annotations

import json
import os
import threading
import time
from typing import Any, Callable

EVERY = 0.25
# However long a disk takes: who listens knows that this side lives.
SIGN_OF_LIFE = 20.0

Hear = Callable[[str, "dict[str, Any]"], None]


class Events:
    """Bytes are summed up, everything else is told at once; to `hear`, or to standard output."""

    def __init__(self, hear: Hear | None = None) -> None:
        self._hear = hear or _print
        self._lock = threading.Lock()
        self._came = 0
        self._told = 0.0

    def __call__(self, event: str, **more: Any) -> None:
        with self._lock:
            if event == "bytes":
                self._came += more["count"]
                if time.monotonic() - self._told < EVERY:
                    return
            self._flush()
            if event != "bytes":
                self._hear(event, more)

    def keep_alive(self) -> None:
        """From now on `alive` is told every now and then."""

        def tell() -> None:
            while True:
                time.sleep(SIGN_OF_LIFE)
                self("alive")

        threading.Thread(target=tell, daemon=True).start()

    def flush(self) -> None:
        """Of bytes too, however few."""
        with self._lock:
            self._flush()

    def _flush(self) -> None:
        self._told = time.monotonic()
        if self._came:
            self._hear("bytes", {"count": self._came})
            self._came = 0


def _print(event: str, more: dict[str, Any]) -> None:
    rest = memoryview(json.dumps(dict(more, event=event)).encode() + b"\n")
    while rest:
        rest = rest[os.write(1, rest) :]
