"""A proxy on loopback as Squid is by its usual settings, which finds names under `.test`."""

import base64
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit


@dataclass
class ForwardProxy:
    """CONNECT is for `secure` ports alone. `login`: who sends no such `user:password` is refused.
    `seen` are the request lines, `carried` the bytes of their headers and bodies."""

    secure: tuple[int, ...] = ()
    login: str | None = None
    seen: list[str] = field(default_factory=list)
    carried: bytearray = field(default_factory=bytearray)
    port: int = 0

    def url(self, login: str = "") -> str:
        return f"http://{login}127.0.0.1:{self.port}"


@contextmanager
def forwarding(proxy: ForwardProxy) -> Iterator[ForwardProxy]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"proxy": proxy}))
    server.daemon_threads = True
    proxy.port = server.server_port
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield proxy
    finally:
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    proxy: ForwardProxy

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002
        """Nothing."""

    def do_CONNECT(self) -> None:
        if not self._is_welcome():
            return
        host, _, port = self.path.rpartition(":")
        if int(port) not in self.proxy.secure:
            self.send_error(403)
            return
        with _reached(host, int(port)) as there:
            self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            self.proxy.carried += _copied_both_ways(self.connection, there)

    def do_GET(self) -> None:
        self._pass_on()

    def do_POST(self) -> None:
        self._pass_on()

    def _pass_on(self) -> None:
        if not self._is_welcome():
            return
        target = urlsplit(self.path)
        if target.scheme != "http" or not target.hostname:
            self.send_error(400)
            return
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        kept = [f"{k}: {v}" for k, v in self.headers.items() if not k.lower().startswith("proxy-")]
        path = (target.path or "/") + (f"?{target.query}" if target.query else "")
        head = [f"{self.command} {path} HTTP/1.0", *kept, "", ""]
        sent = "\r\n".join(head).encode() + body
        self.proxy.carried += sent
        with _reached(target.hostname, target.port or 80) as there:
            there.sendall(sent)
            while data := there.recv(1 << 16):
                self.wfile.write(data)

    def _is_welcome(self) -> bool:
        self.proxy.seen.append(f"{self.command} {self.path}")
        if self.proxy.login is None:
            return True
        known = "Basic " + base64.b64encode(self.proxy.login.encode()).decode()
        if self.headers.get("Proxy-Authorization") == known:
            return True
        self.send_error(407, "T0KEN is no login")
        return False


def _reached(host: str, port: int) -> socket.socket:
    """Only the proxy finds names under `.test`."""
    return socket.create_connection(("127.0.0.1" if host.endswith(".test") else host, port))


def _copied_both_ways(client: socket.socket, server: socket.socket) -> bytes:
    """What the client sent."""
    sent = bytearray()

    def answer() -> None:
        with suppress(OSError):
            while data := server.recv(1 << 16):
                client.sendall(data)
            client.shutdown(socket.SHUT_WR)

    answering = threading.Thread(target=answer, daemon=True)
    answering.start()
    with suppress(OSError):
        while data := client.recv(1 << 16):
            sent += data
            server.sendall(data)
        server.shutdown(socket.SHUT_WR)
    answering.join(5)
    return bytes(sent)
