"""A session to a host in memory: what the tool does there, until the connection is lost."""

from __future__ import annotations

import posixpath
import threading
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Self, TypeVar

from xgen_deploy.errors import LockedError, UnreachableError
from xgen_deploy.transport.base import Completed, HostError, Reply

if TYPE_CHECKING:
    from tests.fake_host.host import FakeHost

T = TypeVar("T")
# A host does one thing after the other, though several operations ask it at once.
_AT_WORK: defaultdict[str, threading.RLock] = defaultdict(threading.RLock)


class FakeSession:
    """Each call is one that the host counts, and may be lost at."""

    def __init__(self, host: FakeHost) -> None:
        self._host = host
        self._open = True

    def run(self, argv: Sequence[str], *, stdin: bytes = b"", **_: object) -> Completed:
        words = tuple(argv)
        return self._call(" ".join(words)[:100], lambda: self._host.run(words, stdin.decode()))

    def write_file(self, path: str, content: bytes, *, mode: int, **_: object) -> None:
        def write() -> None:
            self._host.use_disk(path)
            if posixpath.dirname(path) not in self._host.folders:
                raise HostError(
                    self._host.name, f"writing {path} failed: No such file or directory"
                )
            self._host.put(path, content, mode)

        self._call(f"write {path}", write)

    def make_dir(self, path: str, **_: object) -> None:
        def make() -> None:
            self._host.use_disk(path)
            self._host.make_folder(path)

        self._call(f"mkdir {path}", make)

    def read_file(self, path: str, *, offset: int = 0, limit: int = 1 << 20) -> bytes | None:
        def read() -> bytes | None:
            content = self._host.files.get(path)
            return None if content is None else content[offset : offset + limit]

        return self._call(f"read {path}", read)

    def remove(self, path: str, *, within: str) -> bool:
        def remove() -> bool:
            self._host.removed_within.append((path, within))
            return self._host.take_away(path)

        return self._call(f"remove {path}", remove)

    def request(
        self,
        method: str,
        address: str,
        port: int,
        path: str,
        *,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        **_: object,
    ) -> Reply:
        key = (headers or {}).get("Authorization", "").removeprefix("Bearer ") or None
        return self._call(
            f"{method} {address}:{port}{path}",
            lambda: self._host.request(method, port, path, body, key),
        )

    def ask_socket(self, path: str, sent: bytes, **_: object) -> bytes:
        asked = sent.decode().strip()
        return self._call(f"ask-socket {asked}", lambda: self._host.ask_socket(path, asked))

    def bytes_read(self, pid: int) -> int | None:
        return self._call(f"read bytes of {pid}", lambda: self._host.bytes_read)

    def lock(self, path: str, owner: Mapping[str, str], **_: object) -> None:
        def lock() -> None:
            if self._host.locked_by:
                raise LockedError(self._host.name, self._host.locked_by)
            self._host.put(path, str(dict(owner)).encode(), 0o600)

        self._call(f"lock {path}", lock)

    def note_operation(self, lock: str, operation: str | None) -> None:
        self._call(f"note {lock}", lambda: self._host.noted.append(operation))

    def close(self) -> None:
        """The lock is freed: who waits for it on the host goes on."""
        if self._open:
            self._open = False
            self._host.lock_was_freed()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _call(self, what: str, do: Callable[[], T]) -> T:
        with _AT_WORK[self._host.name]:
            if not self._open:
                raise UnreachableError(self._host.name, "the connection was lost")
            self._host.calls.append(what)
            if len(self._host.calls) == self._host.lost_at:
                self.close()
                self._host.lost()
            return do()
