"""A request from this machine to a gateway, without SSH, where that is safe and possible."""

import http.client
import json
import ssl
from contextlib import suppress
from urllib.parse import urlsplit

from xgen_deploy.transport.base import Take, WebRequest
from xgen_deploy.verify.entry_points import Way

_CONNECT = 3.0
_PIECE = 1 << 16


class NotDirect(Exception):
    """Nothing was sent; the message is a clause that says why."""


def why_not_direct(way: Way) -> str | None:
    """Why a way is not even tried; None where it is."""
    if not way.through_gateway:
        return "there is no gateway for it"
    if way.address is None:
        return "the gateway listens on its own host only"
    if way.locked and not way.tls:
        return "the gateway has no TLS, and its key could be read on the way"
    if way.locked and way.api_key is None:
        return "the gateway's keys are its clients' own"
    return None


def stream_direct(way: Way, request: WebRequest, take: Take) -> None:
    """As Connection.stream, with the certificate checked. Raises NotDirect."""
    at = urlsplit(way.url)
    if way.tls:
        context = ssl.create_default_context()
        connection: http.client.HTTPConnection = http.client.HTTPSConnection(
            at.hostname or "", at.port, timeout=_CONNECT, context=context
        )
    else:
        connection = http.client.HTTPConnection(at.hostname or "", at.port, timeout=_CONNECT)
    try:
        try:
            connection.connect()
        except OSError as error:
            raise NotDirect(f"{way.url} cannot be reached from here: {_clause(error)}") from None
        connection.sock.settimeout(request.timeout)
        _answer(connection, request, take)
    finally:
        connection.close()


def _answer(connection: http.client.HTTPConnection, request: WebRequest, take: Take) -> None:
    try:
        connection.request(request.method, request.path, request.body, dict(request.headers))
        reply = connection.getresponse()
    except (OSError, http.client.HTTPException) as error:
        take(_head(0, _clause(error)))
        return
    take(_head(reply.status))
    with suppress(OSError, http.client.HTTPException):  # the end tells that it was cut
        while piece := reply.read1(_PIECE):
            take(piece)


def _head(status: int, error: str = "") -> bytes:
    return json.dumps({"status": status, "error": error}).encode() + b"\n"


def _clause(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
