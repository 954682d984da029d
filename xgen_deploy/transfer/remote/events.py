"""What a transfer says while it runs: lines of JSON on standard output or, where nobody listens any
more, the newest of each kind in a file.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
from typing import Any

EVERY = 0.25
# However long a disk takes: who listens knows that this side lives.
SIGN_OF_LIFE = 20.0


class Events:
    """Bytes are summed up, everything else is told at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._came = 0
        self._told = 0.0
        self._status: str | None = None
        self._state: dict[str, Any] = {}

    def __call__(self, event: str, **more: Any) -> None:
        with self._lock:
            if event == "bytes":
                self._came += more["count"]
                if time.monotonic() - self._told < EVERY:
                    return
            self._flush()
            if event != "bytes":
                self._tell(dict(more, event=event))

    def keep_alive(self) -> None:
        """From now on `alive` is told every now and then."""

        def tell() -> None:
            while True:
                time.sleep(SIGN_OF_LIFE)
                self("alive")

        threading.Thread(target=tell, daemon=True).start()

    def detach(self, status: str) -> None:
        """From now on into this file."""
        self._status = status
        self._state = {"pid": os.getpid(), "began": time.time(), "bytes": 0}
        self._write()

    def _flush(self) -> None:
        self._told = time.monotonic()
        if self._came:
            self._tell({"event": "bytes", "count": self._came})
            self._came = 0

    def _tell(self, line: dict[str, Any]) -> None:
        if self._status is None:
            _write_all(1, json.dumps(line).encode() + b"\n")
            return
        if line["event"] == "bytes":
            self._state["bytes"] += line["count"]
        else:
            self._state[line.pop("event")] = line
        self._state["at"] = time.time()
        self._write()

    def _write(self) -> None:
        if self._status is None:
            return
        with contextlib.suppress(OSError):
            draft = f"{self._status}.draft"
            with open(draft, "w", encoding="utf-8") as file:
                json.dump(self._state, file)
            os.replace(draft, self._status)


def _write_all(fd: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(fd, rest) :]
