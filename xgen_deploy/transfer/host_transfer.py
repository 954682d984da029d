"""One host's transfer, driven from here: its events are read, and the chunks that it asks for are
sent.
"""

import json
import queue
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from xgen_deploy.bounded_json import read_json
from xgen_deploy.errors import UnreachableError
from xgen_deploy.state.transfer import TransferRequest
from xgen_deploy.transfer.local_file import Stored, chunk_of
from xgen_deploy.transfer.remote.download import Pace
from xgen_deploy.transfer.remote.part import CHUNK
from xgen_deploy.transport.base import Connection, HostError
from xgen_deploy.transport.process import Process, heard

# What one packet of SSH takes: paramiko leaves 64 bytes of 32 KiB free.
_PIECE = (32 << 10) - 64
LINE = 4 << 20
# A host tells every 20 s that it lives, and ends after 60 s in which it heard nothing.
_SILENCE = 120.0
_SIGN_OF_LIFE = 10.0
# A disk that others use may keep a transfer waiting: it has idle priority there.
_STALLED = 600.0
_SHOWN = 1000
_MOST_CHUNKS = 1 << 20

Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class TransferEvent(BaseModel):
    """What a host says; see remote/transfer.py. `count` is bytes."""

    model_config = ConfigDict(frozen=True)

    event: Literal[
        "file", "there", "resumed", "bytes", "chunk", "whole", "waiting", "note", "lost", "need",
        "loading", "done", "failed", "detached", "alive",
    ]  # fmt: skip
    file: Annotated[int, Field(ge=0)] | None = None
    count: Annotated[int, Field(ge=0)] = 0
    chunk: Annotated[int, Field(ge=0)] | None = None
    sha256: Digest | Literal[""] = ""
    chunks: Annotated[tuple[Digest | int, ...], Field(max_length=_MOST_CHUNKS)] = ()
    text: str = ""
    wrong: bool = False
    thin: bool = False
    errno: int | None = None


Tell = Callable[[str, TransferEvent], None]
# The file on this machine for a file's number; asked for where a host has to get it from here.
FromHere = Callable[[int], Path | Stored]


class TransferFailed(HostError):
    """`wrong`: what came is not what was asked for, in file number `file`. `thin`: layers of an
    image that were taken to be there may be missing."""

    def __init__(
        self, host: str, reason: str, *, file: int | None, wrong: bool, thin: bool = False
    ) -> None:
        super().__init__(host, reason)
        self.file, self.wrong, self.thin = file, wrong, thin


@dataclass
class HostTransfer:
    """`ended` is waited for after it is done: the next host may still be taking from it."""

    connection: Connection
    request: TransferRequest
    from_here: FromHere
    tell: Tell
    ended: threading.Event

    def run(self, done: Callable[[], None]) -> None:
        """`done` is called once all files are there. Raises TransferFailed, UnreachableError and
        HostError."""
        name = self.connection.name
        with self.connection.transfer(self.request.line()) as (process, first):
            process.send_within(_STALLED)
            finished = False
            sender = _Sender(process, self.request, self.from_here)
            try:
                for lines in heard(process, first, limit=LINE, within=_SILENCE):
                    for line in lines:
                        finished = self._take(event_of(name, line), sender) or finished
                    sender.check(name)
                    if finished:
                        break
                done()
                self.ended.wait()
            finally:
                sender.stop()

    def _take(self, event: TransferEvent, sender: "_Sender") -> bool:
        """Whether it is done."""
        if event.file is not None and event.file >= len(self.request.files):
            raise ConnectionError("it told of a file that was not asked for")
        if event.event == "need" and event.file is not None:
            sender.send(event.file, [c for c in event.chunks if isinstance(c, int)])
        if event.event == "failed":
            text = event.text[:_SHOWN]
            raise TransferFailed(
                self.connection.name, text, file=event.file, wrong=event.wrong, thin=event.thin
            )
        self.tell(self.connection.name, event)
        return event.event == "done"


class _Sender:
    """Sends what a host asks for, from a thread of its own: its events are read meanwhile. Where
    there is nothing to send, an empty line tells the host that this side lives."""

    def __init__(self, process: Process, request: TransferRequest, from_here: FromHere) -> None:
        self._process, self._request, self._from_here = process, request, from_here
        self._asked: queue.Queue[tuple[int, Sequence[int]] | None] = queue.Queue()
        self._failed: Exception | None = None
        self._stopped = threading.Event()
        self._sending = threading.Lock()
        for run in (self._send_all, self._keep_alive):
            threading.Thread(target=run, daemon=True).start()

    def send(self, file: int, chunks: Sequence[int]) -> None:
        self._asked.put((file, chunks))

    def check(self, host: str) -> None:
        """Raises what ended it."""
        if isinstance(self._failed, OSError) and not isinstance(self._failed, ConnectionError):
            raise HostError(host, f"its files cannot be read here: {self._failed}")
        if self._failed is not None:
            raise self._failed

    def stop(self) -> None:
        self._stopped.set()
        self._asked.put(None)

    def _keep_alive(self) -> None:
        with suppress(OSError):  # the reader notices too
            while not self._stopped.wait(_SIGN_OF_LIFE):
                if not self._sending.acquire(blocking=False):
                    continue  # a chunk is under way
                try:
                    self._process.send(b"\n")
                finally:
                    self._sending.release()

    def _send_all(self) -> None:
        pace = Pace(self._request.limit_rate)
        try:
            while (asked := self._asked.get()) is not None:
                number, chunks = asked
                file = self._from_here(number)
                for chunk in chunks:
                    with self._sending:
                        self._chunk(number, file, chunk, pace)
        except Exception as error:  # noqa: BLE001 - the reader raises it
            self._failed = error
            self._process.close()

    def _chunk(self, number: int, path: Path | Stored, chunk: int, pace: Pace) -> None:
        size = self._request.files[number].size
        pieces = chunk_of(path, chunk, size, piece=_PIECE)
        length = min(CHUNK, size - chunk * CHUNK)
        head = {"file": number, "chunk": chunk, "length": length}
        self._process.send(json.dumps(head).encode() + b"\n")
        for piece in pieces:
            if self._stopped.is_set():
                return
            self._process.send(piece)
            pace.add(len(piece))


def event_of(host: str, line: bytes) -> TransferEvent:
    """Raises UnreachableError."""
    try:
        return TransferEvent.model_validate(read_json(line, LINE))
    except (ValueError, ValidationError):
        raise UnreachableError(
            host, "its answer is malformed", "Run the same command again."
        ) from None
