"""Serves the page to whoever shows the token, over TLS, on a socket that systemd made.

It ends after a while without a request; systemd starts it again with the next one.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import socket
import ssl
import threading
import time
from typing import Callable

# What a client may take to say what it wants, and to take the answer.
REQUEST_SECONDS = 5.0
ANSWER_SECONDS = 10.0
LONGEST_HEAD = 8192
# More at once are hung up on.
AT_ONCE = 32
_REQUEST = re.compile(rb"([A-Z]{1,16}) (\S{1,2048}) HTTP/1\.[01]\r\n")
_TOKEN = re.compile(
    rb"\r\nauthorization:[ \t]*bearer[ \t]+([!-~]{1,1024})[ \t]*\r\n", re.IGNORECASE
)
_TIMEOUT = re.compile(
    rb"\r\nx-prometheus-scrape-timeout-seconds:[ \t]*(\d{1,4}(?:\.\d{1,9})?)[ \t]*\r\n",
    re.IGNORECASE,
)
MOST_PATIENCE = 9.0
PLAIN = "text/plain; charset=utf-8"
PAGE = "text/plain; version=0.0.4; charset=utf-8"


class Server:
    """`token_sha256` is of the token, in hex; `idle` seconds without a connection end it."""

    def __init__(
        self, context: ssl.SSLContext, token_sha256: str, page: Callable[[float], str], idle: float
    ) -> None:
        self._context, self._digest = context, token_sha256
        self._page, self._idle = page, idle
        self._places = threading.BoundedSemaphore(AT_ONCE)

    def serve(self, listener: socket.socket) -> None:
        """Until nobody has connected for long."""
        listener.settimeout(self._idle)
        while True:
            try:
                connection, _ = listener.accept()
            except socket.timeout:
                return
            except OSError:
                time.sleep(0.1)  # no file descriptor left, or it is gone already
                continue
            if not self._places.acquire(blocking=False):
                connection.close()
                continue
            threading.Thread(target=self._attend, args=(connection,), daemon=True).start()

    def _attend(self, connection: socket.socket) -> None:
        try:
            connection.settimeout(REQUEST_SECONDS)
            with self._context.wrap_socket(connection, server_side=True) as secured:
                answer = self._answer(_head(secured))
                secured.settimeout(ANSWER_SECONDS)
                secured.sendall(answer)
                secured.unwrap()
        except (OSError, ValueError):
            pass  # it went away, was too slow, or spoke no TLS
        finally:
            connection.close()
            self._places.release()

    def _answer(self, head: bytes) -> bytes:
        request = _REQUEST.match(head)
        if request is None:
            return _response("400 Bad Request", "this is no HTTP request\n")
        if not self._may(head):
            wants = "WWW-Authenticate: Bearer\r\n"
            return _response("401 Unauthorized", "the token is missing or wrong\n", more=wants)
        if request[2].partition(b"?")[0] != b"/metrics":
            return _response("404 Not Found", "there is /metrics alone\n")
        if request[1] != b"GET":
            return _response("405 Method Not Allowed", "GET alone\n", more="Allow: GET\r\n")
        return _response("200 OK", self._page(_patience(head)), PAGE)

    def _may(self, head: bytes) -> bool:
        shown = _TOKEN.search(head)
        digest = hashlib.sha256(shown[1] if shown else b"").hexdigest()
        return shown is not None and hmac.compare_digest(digest, self._digest)


def _patience(head: bytes) -> float:
    """How long the page may take: Prometheus says when it will have gone."""
    stated = _TIMEOUT.search(head)
    return min(MOST_PATIENCE, max(1.0, float(stated[1]) * 0.8)) if stated else MOST_PATIENCE


def _head(connection: ssl.SSLSocket) -> bytes:
    """The request's first lines. Raises ValueError where they are too long or too slow."""
    until = time.monotonic() + REQUEST_SECONDS
    head = b""
    while b"\r\n\r\n" not in head:
        connection.settimeout(max(0.001, until - time.monotonic()))
        piece = connection.recv(LONGEST_HEAD)
        head += piece
        if not piece or len(head) > LONGEST_HEAD or time.monotonic() > until:
            raise ValueError("no request came")
    return head.partition(b"\r\n\r\n")[0] + b"\r\n"


def _response(status: str, text: str, kind: str = PLAIN, more: str = "") -> bytes:
    body = text.encode("utf-8", "replace")
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
        f"Connection: close\r\n{more}\r\n"
    )
    return head.encode("latin-1") + body


def tls_context(path: str) -> ssl.SSLContext:
    """`path`: certificate and key."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(path)
    return context
