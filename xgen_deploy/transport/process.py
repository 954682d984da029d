"""A command that runs somewhere, with its three streams, however it was started."""

import time
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Output:
    """What arrived since the last read. `ended`: both streams are at their end."""

    out: bytes = b""
    err: bytes = b""
    ended: bool = False


class Process(Protocol):
    """Raises ConnectionError from any call where the way to the process is gone."""

    def send(self, data: bytes) -> None:
        """Write to its input. Silent where the process no longer reads."""

    def end_input(self) -> None: ...

    def read(self, timeout: float) -> Output:
        """Wait for output. Raises TimeoutError when nothing came within `timeout` seconds."""

    def returncode(self) -> int:
        """After the end of its output; negative where the status is not known."""

    def close(self) -> None:
        """Let go of it: its input ends, and its output is no longer read."""


class Deadline:
    """A moment that lies `seconds` ahead; None is never."""

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
