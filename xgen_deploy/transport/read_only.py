"""A host for commands that only read: no session can be opened on it."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import NoReturn

from xgen_deploy.transport.base import Connection, Take, WebRequest
from xgen_deploy.transport.process import Output, Process
from xgen_deploy.transport.program import Program


class WriteRefused(Exception):
    """A bug: something tried to change a host through a read-only connection."""


class ReadOnly:
    """A Connection whose session() and transfer() raise WriteRefused."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @property
    def name(self) -> str:
        return self._connection.name

    def connect(self) -> None:
        self._connection.connect()

    def observe(
        self, program: bytes, request: bytes, *, timeout: float, shell: bytes = b""
    ) -> bytes:
        return self._connection.observe(program, request, timeout=timeout, shell=shell)

    def follow(
        self,
        argv: Sequence[str],
        *,
        timeout: float | None = None,
        raw: bool = False,
        take: Take | None = None,
    ) -> int:
        return self._connection.follow(argv, timeout=timeout, raw=raw, take=take)

    def stream(self, request: WebRequest, take: Take) -> None:
        self._connection.stream(request, take)

    def transfer(self, request: bytes, program: Program = "transfer") -> NoReturn:  # noqa: ARG002
        raise WriteRefused(f"{self.name}: this run only reads")

    def relay(self, request: bytes) -> AbstractContextManager[tuple[Process, Output]]:
        return self._connection.relay(request)

    def report(
        self, program: bytes, request: bytes
    ) -> AbstractContextManager[tuple[Process, Output]]:
        return self._connection.report(program, request)

    def session(self) -> NoReturn:
        raise WriteRefused(f"{self.name}: this run only reads")

    def close(self) -> None:
        self._connection.close()
