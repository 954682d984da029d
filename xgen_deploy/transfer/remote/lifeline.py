"""Standard input, by which a transfer also knows that somebody still wants it: while there is
nothing to send, an empty line comes every few seconds.
"""

from __future__ import annotations

import io
import os
import select
import sys
import threading
import time

SILENCE = 60.0
LOOK = 1.0
LINE = 4096


class Ended(Exception):
    """The other side is gone."""


class Lifeline:
    """Ends the process where the input ends, or is silent for too long."""

    def __init__(self) -> None:
        self._stream: io.BufferedReader = sys.stdin.buffer  # type: ignore[assignment]
        self._lock = threading.Lock()
        self._receiving = False
        # Since when nothing came; None: it is not waited for.
        self._since: float | None = time.monotonic()
        threading.Thread(target=self._watch, daemon=True).start()

    def receive(self) -> None:
        """From now on what comes is read by who calls; until `idle`."""
        with self._lock:
            self._receiving, self._since = True, None

    def idle(self) -> None:
        with self._lock:
            self._receiving, self._since = False, time.monotonic()

    def line(self) -> bytes:
        """The next one that is not empty. Raises Ended."""
        while True:
            self._since = time.monotonic()
            line = self._stream.readline(LINE)
            self._since = None
            if not line:
                raise Ended
            if line != b"\n":
                return line

    def read(self, most: int) -> bytes:
        """At least one byte. Raises Ended."""
        self._since = time.monotonic()
        data = self._stream.read1(most)
        self._since = None
        if not data:
            raise Ended
        return data

    def _watch(self) -> None:
        ended, anything = select.poll(), select.poll()
        ended.register(0, select.POLLRDHUP)
        anything.register(0, select.POLLRDHUP | select.POLLIN)
        while True:
            # What is to be received is not for here, and may lie there for long.
            poll = ended if self._receiving else anything
            for _, event in poll.poll(LOOK * 1000):
                if event & ~select.POLLIN:
                    os._exit(1)
            with self._lock:
                if not self._receiving and anything.poll(0):
                    if not os.read(0, LINE):
                        os._exit(1)
                    self._since = time.monotonic()
            since = self._since
            if since is not None and time.monotonic() - since > SILENCE:
                os._exit(1)
