"""Standard output and error that survive a reader that goes away and a full disk."""

import contextlib
import errno
import io
import os
import select
import sys
from typing import TextIO

_OUTPUT, _ERROR = 1, 2


class Outlet(io.RawIOBase):
    """A file descriptor whose writes fail at most once, and never if it is `lasting`: a change is
    finished even if nobody reads its output any more.
    """

    def __init__(self, handle: int, *, lasting: bool) -> None:
        self._handle = handle
        self._lasting = lasting
        self.failure: OSError | None = None

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._handle

    def isatty(self) -> bool:
        return os.isatty(self._handle)

    def write(self, data: object) -> int:
        """Raises OSError for the first failure, unless lasting."""
        piece = memoryview(data)  # type: ignore[arg-type]
        while self.failure is None:
            try:
                return os.write(self._handle, piece)
            except BlockingIOError:
                select.select([], [self._handle], [])
            except OSError as error:
                self.failure = error
                if not self._lasting:
                    raise
        return len(piece)


def open_outlets(*, lasting: bool) -> None:
    """Puts an Outlet behind the process's standard output and error."""
    _open_closed()
    if sys.stdout is sys.__stdout__:  # not a test's own
        sys.stdout = _through(sys.stdout, _OUTPUT, lasting=lasting)
    if sys.stderr is sys.__stderr__:
        sys.stderr = _through(sys.stderr, _ERROR, lasting=True)


def close_outlets() -> OSError | None:
    """Flushes both streams; returns why standard output could not be written, or None."""
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.flush()
    raw = getattr(getattr(sys.stdout, "buffer", None), "raw", None)
    return raw.failure if isinstance(raw, Outlet) else None


def went_away(failure: OSError) -> bool:
    """Whether the reader closed its end of a pipe."""
    return failure.errno == errno.EPIPE


def _open_closed() -> None:
    """Opens closed standard descriptors: a file or socket that got their number would be written
    to."""
    for handle in (0, _OUTPUT, _ERROR):
        try:
            os.fstat(handle)
        except OSError:
            os.open(os.devnull, os.O_RDWR)


def _through(stream: TextIO | None, handle: int, *, lasting: bool) -> TextIO:
    if isinstance(stream, io.TextIOWrapper):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    raw = Outlet(handle, lasting=lasting)
    # A character that the terminal's encoding lacks is spelled out.
    return io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding=stream.encoding if stream is not None else "utf-8",
        errors="backslashreplace",
        line_buffering=handle == _ERROR or raw.isatty(),
    )
