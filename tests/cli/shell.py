"""A real shell at a terminal: what is typed, and what the screen then shows."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

PATIENCE = 60.0


class Shell:
    def __init__(self, terminal: int) -> None:
        self._terminal = terminal
        self.screen = ""

    def type(self, text: str) -> None:
        os.write(self._terminal, text.encode())

    def await_text(self, text: str, *, after: int = 0) -> None:
        """Reads until the screen shows `text`, later than its first `after` characters."""
        end = time.monotonic() + PATIENCE
        while text not in self._plain(after):
            left = end - time.monotonic()
            if left <= 0 or not select.select([self._terminal], [], [], left)[0]:
                raise AssertionError(f"no {text!r} in {self._plain(after)!r}")
            self.screen += os.read(self._terminal, 65536).decode(errors="replace")

    def _plain(self, after: int) -> str:
        return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]|\x1b[=>]|\r|\x07", "", self.screen[after:])


@contextmanager
def shell(argv: list[str], folder: Path, env: Mapping[str, str]) -> Iterator[Shell]:
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(folder)
        os.execvpe(argv[0], argv, dict(env))  # noqa: S606
    try:
        yield Shell(terminal)
    finally:
        os.kill(child, signal.SIGKILL)
        os.close(terminal)
        os.waitpid(child, 0)
