"""A registry of one image on this host's loopback, for as long as its Docker pulls from it: the
daemon asks for what it lacks and nothing else. Its name has a token in it, which nobody else knows.
"""

from __future__ import annotations

import os
import secrets
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

PIECE = 1 << 20
HELLO = b"\x16"  # of TLS
PATIENCE = 30.0


class Served(NamedTuple):
    """A blob's file and its media type."""

    path: str
    kind: str


class Registry:
    """`blobs` by digest, of which `manifest` is asked for first."""

    def __init__(self, manifest: str, blobs: dict[str, Served]) -> None:
        self._server = _Server(("127.0.0.1", 0), _Handler)
        token = secrets.token_hex(16)
        self._server.base, self._server.blobs = f"/v2/{token}/image/", blobs
        self.missed = self._server.missed
        name = f"127.0.0.1:{self._server.server_address[1]}/{token}/image"
        self.repository, self.reference = name, f"{name}@{manifest}"

    def __enter__(self) -> Registry:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.base = ""
        self.blobs: dict[str, Served] = {}
        self.missed: list[str] = []

    def get_request(self) -> tuple[socket.socket, Any]:
        """containerd tries TLS first; only an answer of HTTP makes it try without."""
        while True:
            connection, address = super().get_request()
            connection.settimeout(PATIENCE)
            try:
                if connection.recv(1, socket.MSG_PEEK) != HELLO:
                    return connection, address
                connection.sendall(b"HTTP/1.0 400 Bad Request\r\n\r\n")
            except OSError:
                pass
            connection.close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Docker closes connections when it has enough."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def _answer(self, *, with_body: bool) -> None:
        if self.path in ("/v2/", "/v2"):
            return self._empty(200)
        if not self.path.startswith(self.server.base):
            return self._empty(404)
        digest = self.path.rpartition("/")[2]
        served = self.server.blobs.get(digest)
        try:
            if served is None:
                raise FileNotFoundError(digest)
            with open(served.path, "rb") as file:
                self._send(file, digest, served.kind, with_body)
        except FileNotFoundError:
            self.server.missed.append(digest)
            self._empty(404)
        return None

    def _send(self, file: Any, digest: str, kind: str, with_body: bool) -> None:
        size = os.fstat(file.fileno()).st_size
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(size))
        self.send_header("Docker-Content-Digest", digest)
        self.end_headers()
        if not with_body:
            return
        while True:
            piece = file.read(PIECE)
            if not piece:
                return
            self.wfile.write(piece)

    def _empty(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Docker-Distribution-Api-Version", "registry/2.0")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Standard output is for events."""
