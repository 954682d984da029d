"""What the rest of the tool may ask of a host, whichever way it is reached."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

from xgen_deploy.errors import XgenError


class HostError(XgenError):
    """The host was reached, and what was asked of it failed there: a full disk, no permission."""

    def __init__(self, host: str, reason: str) -> None:
        super().__init__(f"{host}: {reason}")
        self.host = host
        self.reason = reason


@dataclass(frozen=True)
class Completed:
    """A command that ended. `returncode` is negative for a signal, 124 where its time ran out."""

    returncode: int
    stdout: str
    stderr: str

    @property
    def complaint(self) -> str:
        """The last line on standard error; "" where there is none."""
        return (self.stderr.strip().splitlines() or [""])[-1]


@dataclass(frozen=True)
class Reply:
    """An HTTP answer. `status` is 0 where no connection could be made; `body` then says why."""

    status: int
    body: bytes


class Session(Protocol):
    """The writing side of a host, held open for a whole apply.

    Every call has a deadline in seconds. What was started through the session ends with it, and
    the session ends on the host by itself when the tool has been silent for 30 s.
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
        """Atomic: a new file beside it, fsync, rename. Parent folders must exist."""

    def make_dir(self, path: str, *, mode: int, uid: int = 0, gid: int = 0) -> None:
        """With its parents (0755); an existing folder gets the mode and owner."""

    def read_file(self, path: str, *, offset: int = 0, limit: int = 1 << 20) -> bytes | None:
        """None where there is no such file."""

    def remove(self, path: str, *, within: str) -> bool:
        """A file or a whole folder; False where there was nothing. Raises HostError where it does
        not lie strictly beneath the folder `within`, symbolic links resolved."""

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
        """HTTP made on the host itself; with `tls` the certificate is not checked."""

    def lock(self, path: str, owner: Mapping[str, str], *, wait: float = 0.0) -> None:
        """Take the lock file for the session's life. Raises LockedError naming the owner."""

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
        """Now rather than at the first use. Raises UnreachableError."""

    def observe(
        self, program: bytes, request: bytes, *, timeout: float, shell: bytes = b""
    ) -> bytes:
        """Run the probe `program` (Python source) from memory with `request` on its input; its
        document. `shell` (sh source, packed by gzip) runs instead where the host's Python cannot.
        Exactly one round trip. Raises UnreachableError."""

    def follow(
        self, argv: Sequence[str], *, timeout: float | None = None, raw: bool = False
    ) -> int:
        """Run a reading command with its output going straight to ours, made visible unless it
        is to be `raw`; its exit status."""

    def session(self) -> Session: ...

    def close(self) -> None: ...
