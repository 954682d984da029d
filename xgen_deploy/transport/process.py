"""A command running on some host, with its three streams, however it was started."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Output:
    """Output since the last read. `ended`: both streams are at their end."""

    out: bytes = b""
    err: bytes = b""
    ended: bool = False


class Process(Protocol):
    """Every call raises ConnectionError where the connection to the process is lost."""

    def send(self, data: bytes) -> None:
        """Write to its input. Silent where the process no longer reads."""

    def send_within(self, seconds: float) -> None:
        """How long from now on the process may leave what is sent unread, where that is bounded."""

    def end_input(self) -> None: ...

    def read(self, timeout: float) -> Output:
        """Wait for output. Raises TimeoutError when nothing came within `timeout` seconds."""

    def returncode(self) -> int:
        """Its exit status, once its output has ended; negative where it is not known."""

    def close(self) -> None:
        """Close its input and stop reading its output."""


class Deadline:
    """A moment `seconds` from now; None means never."""

    def __init__(self, seconds: float | None) -> None:
        self._end = None if seconds is None else time.monotonic() + seconds

    def left(self, at_most: float = 3600.0) -> float:
        """Seconds until then. Raises TimeoutError when it has passed."""
        if self._end is None:
            return at_most
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return min(left, at_most)


class Lines:
    """The lines in output that arrives in pieces, of at most `limit` bytes each."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._rest = bytearray()

    def add(self, piece: bytes) -> list[bytes]:
        """The lines that `piece` completes. Raises ConnectionError for a line over the limit."""
        head, newline, tail = piece.rpartition(b"\n")
        if not newline:
            self._rest += piece
            lines = []
        else:
            lines = (bytes(self._rest) + head).split(b"\n")
            self._rest = bytearray(tail)
        if max(len(self._rest), *map(len, lines), 0) > self._limit:
            raise ConnectionError(f"it sent a line of more than {self._limit >> 20} MiB")
        return lines


def heard(process: Process, first: Output, *, limit: int, within: float) -> Iterator[list[bytes]]:
    """What it says, line by line, in the pieces in which it comes; never the end. Raises
    ConnectionError, also where nothing comes within so many seconds.
    """
    lines, got = Lines(limit), first
    while True:
        yield lines.add(got.out)
        if got.ended:
            raise ConnectionError("the program there ended")
        try:
            got = process.read(within)
        except TimeoutError:
            raise ConnectionError(f"nothing heard for {within:.0f} s") from None
