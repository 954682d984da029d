"""The lines of a log that arrives in pieces."""

from collections.abc import Callable

from xgen_deploy.limits import PAGE
from xgen_deploy.transport.process import Lines


class LineSplitter:
    """Calls `use` with each whole line; the rest once it has ended."""

    def __init__(self, use: Callable[[bytes], None], limit: int = PAGE) -> None:
        self._lines = Lines(limit)
        self._use = use

    def __call__(self, piece: bytes) -> None:
        for line in self._lines.add(piece):
            self._use(line)

    def end(self) -> None:
        for line in self._lines.add(b"\n"):
            if line:
                self._use(line)
