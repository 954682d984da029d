"""One HTTP request on this host, within a time and a size."""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
from contextlib import contextmanager
from typing import Iterator, NamedTuple

PIECE = 1 << 16


class Where(NamedTuple):
    """`key`: sent as a bearer token, where there is one."""

    address: str
    port: int
    tls: bool = False
    key: str | None = None


class Response(NamedTuple):
    status: int
    body: bytes


def get(where: Where, path: str, seconds: float, most: int) -> Response:
    """`seconds` are for all of it, so that one that drips costs no more than one that is silent.
    Raises OSError, and ValueError where it is no HTTP or longer than `most` bytes.
    """
    connection = _connection(where, seconds)
    late = threading.Event()
    try:
        connection.connect()
        with _hung_up_after(seconds, connection.sock, late):
            headers = {"Authorization": f"Bearer {where.key}"} if where.key else {}
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            body = _body(answer, most)
    except http.client.HTTPException as error:
        raise ValueError(f"it does not speak HTTP: {type(error).__name__}") from None
    finally:
        connection.close()
    if late.is_set():
        raise socket.timeout(f"no whole answer within {seconds:.0f} s")
    return Response(answer.status, body)


def _connection(where: Where, seconds: float) -> http.client.HTTPConnection:
    if not where.tls:
        return http.client.HTTPConnection(where.address, where.port, timeout=seconds)
    # The gateway of this host, on loopback: its certificate is for its clients' name of it, and
    # nothing secret is sent.
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return http.client.HTTPSConnection(where.address, where.port, timeout=seconds, context=context)


def _body(answer: http.client.HTTPResponse, most: int) -> bytes:
    pieces: list[bytes] = []
    size = 0
    while True:
        piece = answer.read(PIECE)
        if not piece:
            break
        pieces.append(piece)
        size += len(piece)
        if size > most:
            raise ValueError(f"its answer is longer than {most >> 20} MiB")
    if answer.length:
        raise ValueError("its answer ends early")
    return b"".join(pieces)


@contextmanager
def _hung_up_after(seconds: float, sock: socket.socket, late: threading.Event) -> Iterator[None]:
    def hang_up() -> None:
        late.set()
        try:
            sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # it is closed

    timer = threading.Timer(seconds, hang_up)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
