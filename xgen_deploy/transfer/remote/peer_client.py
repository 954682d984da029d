"""Takes chunks from the host before this one, which may still be getting them itself."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import socket
import ssl
import time
from typing import Callable, NamedTuple

from xgen_deploy.transfer.remote.download import Pace
from xgen_deploy.transfer.remote.part import Part, Wrong

SILENCE = 60.0
# The host before it may be busy with another file, or pause because its source does.
PATIENCE = 90.0


class Peer(NamedTuple):
    """`certificate` is the SHA-256 of its DER form, in hexadecimal."""

    address: str
    port: int
    token: str
    certificate: str


class Lost(Exception):
    """The host before it cannot be reached, or does not have it."""


class PeerClient:
    """One connection, for all files."""

    def __init__(self, peer: Peer, pace: Pace) -> None:
        self._peer, self._pace = peer, pace
        self._connection: http.client.HTTPSConnection | None = None

    def fetch(self, number: int, part: Part, tell: Callable[..., None]) -> None:
        """The chunks that are missing. Raises Lost and OSError of this host's disk."""
        heard = time.monotonic()
        while part.missing():
            chunk = part.missing()[0]
            try:
                self._chunk(number, chunk, part, tell)
            except Wrong as error:
                raise Lost(str(error)) from None
            except _Unanswered as error:
                self.close()
                if time.monotonic() - heard > PATIENCE:
                    raise Lost(str(error)) from None
                time.sleep(0.2)
                continue
            heard = time.monotonic()

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _chunk(self, number: int, chunk: int, part: Part, tell: Callable[..., None]) -> None:
        answer = self._ask(f"/{number}/{chunk}")

        def read(most: int) -> bytes:
            try:
                data = answer.read1(most)
            except (OSError, http.client.HTTPException) as error:
                raise _Unanswered(str(error)) from None
            if not data:
                raise _Unanswered("the connection broke")
            tell("bytes", file=number, count=len(data))
            self._pace.add(len(data))
            return data

        part.write(chunk, read)
        answer.read()

    def _ask(self, path: str) -> http.client.HTTPResponse:
        try:
            if self._connection is None:
                self._connection = self._connect()
            self._connection.request(
                "GET", path, headers={"Authorization": f"Bearer {self._peer.token}"}
            )
            answer = self._connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            raise _Unanswered(getattr(error, "strerror", None) or str(error)) from None
        if answer.status != 200:
            raise _Unanswered(f"it answers {answer.status}")
        return answer

    def _connect(self) -> http.client.HTTPSConnection:
        """Who answers is known by the certificate itself: names and dates in it mean nothing."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        connection = http.client.HTTPSConnection(
            self._peer.address, self._peer.port, timeout=SILENCE, context=context
        )
        connection.connect()
        shown = connection.sock.getpeercert(binary_form=True) or b""
        if not hmac.compare_digest(hashlib.sha256(shown).hexdigest(), self._peer.certificate):
            connection.close()
            raise Lost("another program answers there: its certificate is not the one expected")
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection


class _Unanswered(Exception):
    """This time."""
