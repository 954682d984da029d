"""Hands what this host has to the next one: over TLS with a key made for this transfer, for one
token, to one address, and nothing but the files of the transfer.

It runs as a process of its own without rights; files are handed to it as they are opened.
"""

from __future__ import annotations

import array
import contextlib
import hmac
import ipaddress
import json
import os
import signal
import socket
import ssl
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from xgen_deploy.transfer.remote.part import CHUNK, File, drop_pages

NOBODY = 65534
MOST_CONNECTIONS = 8
PIECE = 1 << 20
WAIT = 20.0
# Without a word of the next host.
LEAVES = 3 * 3600.0
LOOK = 0.5


class Serving(NamedTuple):
    """`to` are the addresses of the next host. `identity` is PEM text: certificate and key."""

    address: str
    port: int
    to: list[str]
    token: str
    identity: str


class PeerServer:
    """This side of the serving process. Raises OSError where it cannot listen."""

    def __init__(self, serving: Serving) -> None:
        listening = _Server(serving)
        self._here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.pid = os.fork()
        if self.pid == 0:
            self._here.close()
            _serve(listening, there)
        there.close()
        listening.server_close()

    def offer(self, number: int, file: File, fd: int) -> None:
        """The file that is being written, or is whole already."""
        head = json.dumps({"file": number, "size": file.size}).encode()
        handed = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))]
        with contextlib.suppress(OSError):  # it is gone: the next host notices
            self._here.sendmsg([head], handed)

    def has(self, number: int, chunks: list[int]) -> None:
        for first in range(0, len(chunks), 1000):
            line = {"file": number, "chunks": chunks[first : first + 1000]}
            with contextlib.suppress(OSError):
                self._here.send(json.dumps(line).encode())

    def leave_once_taken(self) -> None:
        """It ends by itself once the next host says so, or is silent for long."""
        with contextlib.suppress(OSError):
            self._here.send(b'{"leave": true}')

    def left(self) -> bool:
        with contextlib.suppress(ChildProcessError):
            return os.waitpid(self.pid, os.WNOHANG)[0] != 0
        return True

    def end(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        self._here.close()


class _Shelf:
    """What can be handed out, by file and chunk."""

    def __init__(self) -> None:
        self._files: dict[int, tuple[int, int]] = {}
        self._chunks: set[tuple[int, int]] = set()
        self._changed = threading.Condition()

    def put(self, news: dict[str, Any], fd: int | None) -> None:
        with self._changed:
            if fd is not None:
                self._files[news["file"]] = (fd, news["size"])
            self._chunks.update((news["file"], chunk) for chunk in news.get("chunks", ()))
            self._changed.notify_all()

    def wait_for(self, file: int, chunk: int) -> tuple[int, int] | None:
        """The file and how long the chunk is; None where it does not come in time."""
        with self._changed:
            if not self._changed.wait_for(lambda: (file, chunk) in self._chunks, WAIT):
                return None
            fd, size = self._files[file]
        return fd, min(CHUNK, size - chunk * CHUNK)

    def drop_pages(self) -> None:
        with self._changed:
            for fd, _ in self._files.values():
                drop_pages(fd, 0, 0)


class _Server(ThreadingHTTPServer):
    """A connection that only hangs on keeps no other one off."""

    daemon_threads = True

    def __init__(self, serving: Serving) -> None:
        if ipaddress.ip_address(serving.address).is_unspecified:
            raise OSError("that is every address of this host")
        family = socket.AF_INET6 if ":" in serving.address else socket.AF_INET
        self.address_family = family
        self.serving = serving
        self.heard = time.monotonic()
        self.taken = False
        self.shelf = _Shelf()
        self._free = threading.BoundedSemaphore(MOST_CONNECTIONS)
        super().__init__((serving.address, serving.port), _Handler)
        self.socket = _tls(serving.identity).wrap_socket(
            self.socket, server_side=True, do_handshake_on_connect=False
        )

    def verify_request(self, request: Any, client_address: Any) -> bool:  # noqa: ARG002
        return client_address[0] in self.serving.to and self._free.acquire(blocking=False)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def get_request(self) -> tuple[Any, Any]:
        request, address = super().get_request()
        request.settimeout(60.0)
        return request, address

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that is gone asks again."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        given = self.headers.get("Authorization", "")
        if not hmac.compare_digest(given.encode(), f"Bearer {self.server.serving.token}".encode()):
            return self.send_error(403)
        self.server.heard = time.monotonic()
        if self.path == "/done":
            self.server.taken = True
            self.send_response(200)
            self.send_header("Content-Length", "0")
            return self.end_headers()
        try:
            file, chunk = (int(part) for part in self.path.strip("/").split("/"))
        except ValueError:
            return self.send_error(404)
        got = self.server.shelf.wait_for(file, chunk)
        if got is None:
            return self.send_error(503)
        fd, length = got
        self.send_response(200)
        self.send_header("Content-Length", str(length))
        self.end_headers()
        return self._send(fd, chunk * CHUNK, length)

    def _send(self, fd: int, start: int, length: int) -> None:
        offset = start
        while offset < start + length:
            data = os.pread(fd, min(PIECE, start + length - offset), offset)
            if not data:
                break
            self.wfile.write(data)
            offset += len(data)
        drop_pages(fd, start, length)

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002
        """Nothing is written."""


def _tls(identity: str) -> ssl.SSLContext:
    """From memory: a key never lies on the disk."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    handle = os.memfd_create("identity", os.MFD_CLOEXEC)
    try:
        os.write(handle, identity.encode())
        context.load_cert_chain(f"/proc/self/fd/{handle}")
    finally:
        os.close(handle)
    return context


def _serve(server: _Server, news: socket.socket) -> None:
    """In a process of its own; never returns."""
    try:
        _drop_rights()
        os.closerange(0, 3)
        threading.Thread(target=_listen, args=(server, news), daemon=True).start()
        server.serve_forever()
    finally:
        os._exit(1)


def _drop_rights() -> None:
    if os.geteuid() == 0:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)


def _listen(server: _Server, news: socket.socket) -> None:
    shelf = server.shelf
    while True:
        text, controls, _, _ = news.recvmsg(1 << 16, socket.CMSG_SPACE(4))
        if not text:
            shelf.drop_pages()
            os._exit(0)
        fds = array.array("i")
        for level, kind, data in controls:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                fds.frombytes(data[:4])
        line = json.loads(text)
        if line.get("leave"):
            threading.Thread(target=_leave, args=(server,), daemon=True).start()
            continue
        shelf.put(line, fds[0] if fds else None)


def _leave(server: _Server) -> None:
    server.heard = time.monotonic()
    while not server.taken and time.monotonic() - server.heard < LEAVES:
        time.sleep(LOOK)
    server.shelf.drop_pages()
    os._exit(0)
