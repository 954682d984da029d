"""Fetches what is missing of a file from the web, however often the connection breaks."""

from __future__ import annotations

import contextlib
import http.client
import time
from typing import Callable, NamedTuple

from xgen_deploy.transfer.remote import web_source
from xgen_deploy.transfer.remote.part import CHUNK, Part, Wrong
from xgen_deploy.transfer.remote.web_source import Access, Refused, Unavailable

TRIES = 8
CHANGES = 3
LONGEST_PAUSE = 30.0


class Pace:
    """At most so many bytes a second; 0: as fast as they come."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._began = time.monotonic()
        self._sent = 0

    def seconds(self, count: int) -> float:
        """How long that many bytes take at least."""
        return count / self._rate if self._rate else 0.0

    def add(self, count: int) -> None:
        if not self._rate:
            return
        self._sent += count
        early = self._sent / self._rate - (time.monotonic() - self._began)
        if early > 0:
            time.sleep(early)


class Fetching(NamedTuple):
    """How: `tell` hears of the bytes that came, `say` of pauses, `pause` waits."""

    access: Access
    tell: Callable[[int], None]
    say: Callable[[str], None]
    pace: Pace
    pause: Callable[[float], None] = time.sleep
    silence: float = web_source.SILENCE


class Changed(Exception):
    """The file at the source is another one than what came before."""


def fetch(part: Part, how: Fetching) -> None:
    """All chunks that are missing. Raises Refused, Wrong, OSError, and Unavailable once TRIES in a
    row brought nothing."""
    stream = _Stream(part, how)
    try:
        for _ in range(CHANGES):
            try:
                for chunk in part.missing():
                    part.write(chunk, stream.from_byte(chunk * CHUNK))
            except Changed:
                part.forget()
                how.say("the file changed at its source: from the beginning")
                continue
            return
        raise Refused("the file at its source changes all the time")
    finally:
        stream.close()


class _Stream:
    """The source read on from any byte; where the connection breaks, another one goes on there."""

    def __init__(self, part: Part, how: Fetching) -> None:
        self._part, self._how = part, how
        self._answer: http.client.HTTPResponse | None = None
        self._at = 0
        self._failed = 0

    def from_byte(self, start: int) -> Callable[[int], bytes]:
        if self._at != start:
            self.close()
            self._at = start
        return self._read

    def close(self) -> None:
        if self._answer is not None:
            self._answer.close()
            self._answer = None

    def _read(self, most: int) -> bytes:
        while True:
            try:
                if self._answer is None:
                    self._answer = self._open(self._at)
                data = _some(self._answer, most)
            except Unavailable as error:
                self._pause(error)
                continue
            self._failed = 0
            self._at += len(data)
            self._how.tell(len(data))
            self._how.pace.add(len(data))
            return data

    def _pause(self, error: Unavailable) -> None:
        self.close()
        self._failed += 1
        if self._failed >= TRIES:
            raise error
        after = error.after or min(LONGEST_PAUSE, 2.0 ** (self._failed - 1))
        self._how.say(f"{error}; another try in {after:.0f} s")
        self._how.pause(after)

    def _open(self, start: int) -> http.client.HTTPResponse:
        part, url = self._part, self._part.file.url
        # Where the digest is known, it tells: an address may be that of several servers, each with
        # an ETag of its own.
        etag = None if part.file.known else part.etag
        if url is None:
            raise Refused("no address is known for it")
        try:
            got = web_source.open_at(url, self._how.access, start, etag, silence=self._how.silence)
        except OSError as error:
            raise Unavailable(error.strerror or str(error)) from None
        if got.total is not None and got.total != part.file.size:
            got.response.close()
            raise Wrong(f"the source has {got.total} bytes, not {part.file.size}")
        if etag is not None and got.etag is not None and got.etag != etag:
            got.response.close()
            part.comes_from(got.etag)
            raise Changed
        part.comes_from(got.etag or part.etag)
        at = got.start
        while at < start:  # a server that always begins at the first byte
            at += len(_some(got.response, min(1 << 20, start - at)))
        return got.response


def _some(answer: http.client.HTTPResponse, most: int) -> bytes:
    """Raises Unavailable where the connection broke, or nothing comes any more."""
    data = b""
    with contextlib.suppress(OSError, http.client.HTTPException):
        data = answer.read1(most)
    if not data:
        raise Unavailable("the connection broke")
    return data
