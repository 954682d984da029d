"""Takes chunks from the host before this one, which may still be getting them itself."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import http.client
import socket
import ssl
import time
from typing import Callable, NamedTuple

from xgen_deploy.transfer.remote.download import Pace
from xgen_deploy.transfer.remote.part import Part, Wrong
from xgen_deploy.transfer.remote.web_source import bounded

SILENCE = 60.0
# For one that does not answer at all, and for one that has not got the chunk yet: it may be busy
# with another file, or pause because its source does.
PATIENCE = 90.0
NOT_YET = 900.0
# However slowly a chunk drips, unless the rate is limited on purpose.
LONGEST = 900.0
MOST_DAMAGED = 3


class Peer(NamedTuple):
    """`certificate` is the SHA-256 of its DER form, in hexadecimal."""

    name: str
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
        self._damaged = 0

    @property
    def name(self) -> str:
        return self._peer.name

    def fetch(self, number: int, part: Part, tell: Callable[..., None]) -> None:
        """The chunks that are missing, without those that come damaged. Raises Lost and OSError of
        this host's disk."""
        heard = asked = time.monotonic()
        missing = part.missing()
        while missing:
            try:
                self._chunk(number, missing[0], part, tell)
            except Wrong as error:
                self._damaged += 1
                if self._damaged >= MOST_DAMAGED:
                    raise Lost(str(error)) from None
                tell("note", file=number, text=str(error))
            except _NotYet as error:
                heard = time.monotonic()
                if heard - asked > NOT_YET:
                    raise Lost(str(error)) from None
                continue
            except _Unanswered as error:
                self.close()
                if time.monotonic() - heard > PATIENCE:
                    raise Lost(str(error)) from None
                time.sleep(0.2)
                continue
            missing.pop(0)
            heard = asked = time.monotonic()

    def done(self) -> None:
        """Says that nothing more of it is needed; where it does not hear that, it waits."""
        with contextlib.suppress(Lost, _Unanswered, _NotYet):
            self._ask(self._connected(), "/done", 0)
        self.close()

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _chunk(self, number: int, chunk: int, part: Part, tell: Callable[..., None]) -> None:
        length = part.file.length(chunk)
        connection = self._connected()
        # Whatever it sends, and however slowly.
        with bounded(connection, LONGEST + 2 * self._pace.seconds(length)):
            answer = self._ask(connection, f"/{number}/{chunk}", length)

            def read(most: int) -> bytes:
                data = _some(answer, most)
                tell("bytes", file=number, count=len(data))
                self._pace.add(len(data))
                return data

            part.write(chunk, read)
            answer.read()  # nothing: what follows is the next answer

    def _connected(self) -> http.client.HTTPSConnection:
        try:
            if self._connection is None:
                self._connection = self._connect()
        except (OSError, http.client.HTTPException) as error:
            raise _Unanswered(getattr(error, "strerror", None) or str(error)) from None
        return self._connection

    def _ask(
        self, connection: http.client.HTTPSConnection, path: str, length: int
    ) -> http.client.HTTPResponse:
        try:
            connection.request("GET", path, headers={"Authorization": f"Bearer {self._peer.token}"})
            answer = connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            raise _Unanswered(getattr(error, "strerror", None) or str(error)) from None
        if answer.status == 503:
            answer.close()
            self.close()
            raise _NotYet("it does not get the file either")
        if answer.status != 200:
            raise Lost(f"it answers {answer.status}")
        if answer.length != length:
            raise Lost("it sends another length than was asked for")
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


def _some(answer: http.client.HTTPResponse, most: int) -> bytes:
    """`most` bytes but for the last: read1 would give a record of TLS."""
    try:
        data = answer.read(most)
    except (OSError, http.client.HTTPException) as error:
        raise _Unanswered(str(error)) from None
    if not data:
        raise _Unanswered("the connection broke")
    return data


class _Unanswered(Exception):
    """This time."""


class _NotYet(Exception):
    """It answers, and has to wait itself."""
