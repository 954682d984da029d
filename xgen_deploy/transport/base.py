"""A host as the rest of the tool sees it, however it is reached."""

import json
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from types import TracebackType
from typing import Protocol, Self

from xgen_deploy.errors import XgenError
from xgen_deploy.transport.process import Output, Process
from xgen_deploy.transport.program import Program

Take = Callable[[bytes], None]


class HostError(XgenError):
    """The host was reached and an operation failed on it: a full disk, no permission."""

    def __init__(self, host: str, reason: str) -> None:
        super().__init__(f"{host}: {reason}")
        self.host = host
        self.reason = reason


@dataclass(frozen=True)
class Completed:
    """A command that ended. `returncode` is negative for a signal, 124 for a timeout."""

    returncode: int
    stdout: str
    stderr: str

    @property
    def complaint(self) -> str:
        """The last line on standard error; "" where there is none."""
        return (self.stderr.strip().splitlines() or [""])[-1]


@dataclass(frozen=True)
class Reply:
    """An HTTP reply. `status` is 0 where no connection could be made; `body` then says why."""

    status: int
    body: bytes


@dataclass(frozen=True)
class WebRequest:
    """`timeout` is how long, in seconds, nothing may come."""

    address: str
    port: int
    path: str
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    method: str = "POST"
    timeout: float = 300.0
    tls: bool = False

    def line(self) -> bytes:
        """As remote/stream.py reads it."""
        fields = {**asdict(self), "body": b64encode(self.body).decode()}
        return json.dumps(fields).encode() + b"\n"


class Session(Protocol):
    """A program on the host that carries out changes, kept for a whole apply.

    Every call has a deadline in seconds. Processes started through the session end with it, and
    the session ends by itself when the host has not heard from the tool for 30 s.
    Raises UnreachableError when the connection is lost.
    """

    def run(
        self,
        argv: Sequence[str],
        *,
        timeout: float,
        stdin: bytes = b"",
        env: Mapping[str, str] | None = None,
    ) -> Completed: ...

    def write_file(
        self, path: str, content: bytes, *, mode: int, uid: int = 0, gid: int = 0
    ) -> None:
        """Atomic: a temporary file, fsync, rename. The parent folder must exist."""

    def make_dir(self, path: str, *, mode: int, uid: int = 0, gid: int = 0) -> None:
        """Parents are created with mode 0755; an existing folder gets this mode and owner."""

    def read_file(self, path: str, *, offset: int = 0, limit: int = 1 << 20) -> bytes | None:
        """None where there is no such file."""

    def remove(self, path: str, *, within: str) -> bool:
        """Remove a file or a whole folder; False where there was none. Raises HostError unless
        the path, symbolic links resolved, lies strictly beneath the folder `within`."""

    def request(
        self,
        method: str,
        address: str,
        port: int,
        path: str,
        *,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        timeout: float,
        tls: bool = False,
    ) -> Reply:
        """An HTTP request made on the host itself; with `tls`, no certificate is checked."""

    def ask_socket(self, path: str, sent: bytes, *, timeout: float) -> bytes:
        """One exchange over a unix socket of the host: what answers until it closes. Raises
        HostError where nothing listens there or the time ran out."""

    def bytes_read(self, pid: int) -> int | None:
        """How much a process and all that it started have read or mapped; None where unknown."""

    def lock(self, path: str, owner: Mapping[str, str], *, wait: float = 0.0) -> None:
        """Hold the lock file until the session ends. Raises LockedError naming the owner."""

    def note_operation(self, lock: str, operation: str | None) -> None:
        """The lock's file, which this session holds, names the operation that is under way."""

    def close(self) -> None: ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


class Connection(Protocol):
    """One host, one connection for the whole run."""

    @property
    def name(self) -> str: ...

    def connect(self) -> None:
        """Connect now rather than at the first use. Raises UnreachableError."""

    def observe(
        self, program: bytes, request: bytes, *, timeout: float, shell: bytes = b""
    ) -> bytes:
        """Run the probe `program` (Python source) from memory with `request` as its input, and
        return its document. `shell` (gzipped sh source) runs instead where the host has no usable
        Python. Exactly one round trip. Raises UnreachableError."""

    def follow(
        self,
        argv: Sequence[str],
        *,
        timeout: float | None = None,
        raw: bool = False,
        take: Take | None = None,
    ) -> int:
        """Run a command that only reads, copying its output to ours, control characters spelled
        out unless `raw`; `take` gets its standard output as it comes instead, nothing at least
        once a second, so that it can end it by raising. Returns its exit status."""

    def stream(self, request: WebRequest, take: Take) -> None:
        """An HTTP request made on the host itself, its answer handed on as it comes: a line of
        JSON (`status`, 0 where there is no answer, and `error`), then the body. With `tls` no
        certificate is checked. Raises UnreachableError."""

    def transfer(
        self, request: bytes, program: Program = "transfer"
    ) -> AbstractContextManager[tuple[Process, Output]]:
        """The program that brings files (transfer/remote/transfer.py), or looks after those that
        were brought (`models`), with its request; its output so far, and the process that is read
        on. Raises UnreachableError, also for the ConnectionError of a read or a send."""

    def relay(self, request: bytes) -> AbstractContextManager[tuple[Process, Output]]:
        """The same with the program that carries bytes to and from an address which the host
        reaches (transfer/remote/relay.py); it changes nothing there."""

    def report(
        self, program: bytes, request: bytes
    ) -> AbstractContextManager[tuple[Process, Output]]:
        """A program (Python source) that only reads, kept for as long as its reports are wanted:
        it gets `request` as a line and ends with its input. Raises as `transfer`."""

    def session(self) -> Session: ...

    def close(self) -> None: ...
