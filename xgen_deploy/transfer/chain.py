"""The same files to several hosts at once: the first gets them from its source, each of the others
from the host before it, chunk by chunk, while that one is still getting them.
"""

import secrets
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from xgen_deploy.errors import XgenError
from xgen_deploy.state.transfer import Peer, Serving, TransferRequest
from xgen_deploy.transfer.host_transfer import (
    FromHere,
    HostTransfer,
    Tell,
    TransferEvent,
    TransferFailed,
)
from xgen_deploy.transfer.identity import new_identity
from xgen_deploy.transport.base import Connection
from xgen_deploy.transport.fleet import each


@dataclass(frozen=True, kw_only=True)
class Hop:
    """One host. `address` and `port` are where the next one reaches it, `comes_from` the addresses
    that it has when it connects to the one before it. The first hop's request says how it gets the
    files; the others take them from the hop before.
    """

    connection: Connection
    request: TransferRequest
    address: str = ""
    port: int = 0
    comes_from: tuple[str, ...] = ()


def bring(hops: Sequence[Hop], from_here: FromHere, tell: Tell) -> Mapping[str, XgenError | None]:
    """By host: None, or why it has not got them. A host whose predecessor fails gets the rest from
    here: `from_here` is called then, from a thread of its own.
    """
    linked = {hop.connection.name: hop for hop in _linked(hops)}
    chain = _Chain(linked, from_here, tell)
    results = each([hop.connection for hop in hops], chain.run, max_workers=max(1, len(hops)))
    return {name: got if isinstance(got, XgenError) else None for name, got in results.items()}


def _linked(hops: Sequence[Hop]) -> list[Hop]:
    linked = list(hops)
    for i in range(len(linked) - 1):
        before, after = linked[i], linked[i + 1]
        identity, token = new_identity(), secrets.token_urlsafe(32)
        serving = Serving(
            address=before.address,
            port=before.port,
            to=after.comes_from,
            token=token,
            identity=identity.pem,
        )
        peer = Peer(
            address=before.address, port=before.port, token=token, certificate=identity.fingerprint
        )
        linked[i] = replace(before, request=replace(before.request, serving=serving))
        linked[i + 1] = replace(after, request=replace(after.request, route="peer", peer=peer))
    return linked


class _Chain:
    """What the threads of one chain share."""

    def __init__(self, hops: Mapping[str, Hop], from_here: FromHere, tell: Tell) -> None:
        self._hops, self._from_here, self._tell = hops, from_here, tell
        self._left = len(hops)
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._chunks: dict[int, tuple[str, ...]] = {}

    def run(self, connection: Connection) -> None:
        """Raises TransferFailed, UnreachableError and HostError."""
        counted = _Once(self._one_less)
        try:
            try:
                self._transfer(connection, {}).run(counted)
            except TransferFailed as error:
                chunks = self._known_chunks()
                if not error.wrong or not chunks:
                    raise
                # Which chunk it is tell the digests of the host that has all of them right.
                self._transfer(connection, chunks).run(counted)
        finally:
            counted()

    def _transfer(
        self, connection: Connection, chunks: Mapping[int, tuple[str, ...]]
    ) -> HostTransfer:
        request = self._hops[connection.name].request
        files = tuple(
            replace(file, chunks=file.chunks or chunks.get(number))
            for number, file in enumerate(request.files)
        )
        return HostTransfer(
            connection,
            replace(request, files=files),
            self._from_here,
            self._heard,
            self._ended,
        )

    def _heard(self, host: str, event: TransferEvent) -> None:
        if event.event == "whole" and event.file is not None:
            with self._lock:
                digests = tuple(c for c in event.chunks if isinstance(c, str))
                self._chunks.setdefault(event.file, digests)
        self._tell(host, event)

    def _known_chunks(self) -> dict[int, tuple[str, ...]]:
        with self._lock:
            return dict(self._chunks)

    def _one_less(self) -> None:
        with self._lock:
            self._left -= 1
            if self._left <= 0:
                self._ended.set()


class _Once:
    """A function that counts the first call alone."""

    def __init__(self, function: Callable[[], None]) -> None:
        self._function, self._called = function, False

    def __call__(self) -> None:
        if not self._called:
            self._called = True
            self._function()
