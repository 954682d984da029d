"""The same files to several hosts at once: the first gets them from its source, each of the others
from the host before it, chunk by chunk, while that one is still getting them.
"""

import secrets
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from xgen_deploy.errors import XgenError
from xgen_deploy.state.transfer import Peer, Serving, TransferRequest, WantedFile
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
    """One host. `address` (an IP address, "" where none is known) and `port` are where the next one
    reaches it, `comes_from` the addresses that it has when it connects to the one before it. The
    first hop's request says how it gets the files; the others take them from the hop before, and as
    their requests say where that has no address.
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
    by_host = {hop.connection.name: hop for hop in linked(hops)}
    chain = _Chain(by_host, from_here, tell)
    results = each([hop.connection for hop in hops], chain.run, max_workers=max(1, len(hops)))
    return {name: got if isinstance(got, XgenError) else None for name, got in results.items()}


def linked(hops: Sequence[Hop]) -> list[Hop]:
    """Each with what it takes to get the files from the one before it."""
    links = list(hops)
    for i in range(len(links) - 1):
        before, after = links[i], links[i + 1]
        if not before.address or not after.comes_from:
            continue
        identity, token = new_identity(), secrets.token_urlsafe(32)
        serving = Serving(
            address=before.address,
            port=before.port,
            to=after.comes_from,
            token=token,
            identity=identity.pem,
        )
        peer = Peer(
            name=before.connection.name,
            address=before.address,
            port=before.port,
            token=token,
            certificate=identity.fingerprint,
        )
        links[i] = replace(before, request=replace(before.request, serving=serving))
        files = _as_known(after.request.files, before.request.files)
        request = replace(after.request, route="peer", peer=peer, files=files)
        links[i + 1] = replace(after, request=request)
    return links


def _as_known(
    files: tuple[WantedFile, ...], before: tuple[WantedFile, ...]
) -> tuple[WantedFile, ...]:
    """With the digests of chunks that are known of the same files on the host before."""
    return tuple(
        replace(f, chunks=f.chunks or b.chunks) for f, b in zip(files, before, strict=True)
    )


class _Chain:
    """What the threads of one chain share."""

    def __init__(self, hops: Mapping[str, Hop], from_here: FromHere, tell: Tell) -> None:
        self._hops, self._from_here, self._tell = hops, from_here, tell
        names = list(hops)
        self._before = dict(zip(names[1:], names, strict=False))
        self._over = {name: threading.Event() for name in names}
        self._left = len(hops)
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._chunks: dict[int, tuple[str, ...]] = {}

    def run(self, connection: Connection) -> None:
        """Raises TransferFailed, UnreachableError and HostError."""
        name = connection.name

        def over() -> None:
            self._over[name].set()
            self._one_less()

        counted = _Once(over)
        try:
            try:
                self._transfer(connection, {}).run(counted)
            except TransferFailed as error:
                chunks = self._chunks_before(name) if error.wrong else {}
                if not chunks:
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
        digests = tuple(c for c in event.chunks if isinstance(c, str))
        if event.event in ("whole", "there") and event.file is not None and digests:
            with self._lock:
                self._chunks.setdefault(event.file, digests)
        self._tell(host, event)

    def _chunks_before(self, name: str) -> dict[int, tuple[str, ...]]:
        """As the host before it found them, which may still be checking its own files."""
        if name not in self._before:
            return {}
        self._over[self._before[name]].wait()
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
