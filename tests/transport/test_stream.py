"""An HTTP answer from a host comes as it is sent, not at its end."""

import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from xgen_deploy.transport.base import Connection, WebRequest


class Slow(BaseHTTPRequestHandler):
    """Sends the second half once the first was seen."""

    seen = threading.Event()
    asked: tuple[str, bytes] = ("", b"")

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        Slow.asked = (self.headers["Authorization"], self.rfile.read(length))
        self.send_response(200 if self.path == "/good" else 404)
        self.end_headers()
        self.wfile.write(b"first ")
        self.wfile.flush()
        assert Slow.seen.wait(30)
        self.wfile.write(b"second")

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def port() -> Iterator[int]:
    Slow.seen.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Slow)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    Slow.seen.set()
    server.shutdown()
    server.server_close()


def test_each_piece_comes_when_it_is_sent(here: Connection, port: int) -> None:
    pieces: list[bytes] = []

    def take(piece: bytes) -> None:
        pieces.append(piece)
        if b"first" in b"".join(pieces):
            Slow.seen.set()

    body = base64.b64encode(bytes(range(256)))
    headers = {"Authorization": "Bearer sk-key"}
    here.stream(WebRequest("127.0.0.1", port, "/good", body, headers, timeout=30.0), take)
    head, _, rest = b"".join(pieces).partition(b"\n")
    assert json.loads(head) == {"status": 200, "error": ""}
    assert rest == b"first second"
    assert Slow.asked == ("Bearer sk-key", body)


def test_where_nothing_listens_the_status_is_0_with_the_reason(
    here: Connection,
) -> None:
    pieces: list[bytes] = []
    here.stream(WebRequest("127.0.0.1", 1, "/good", timeout=5.0), pieces.append)
    assert json.loads(b"".join(pieces)) == {"status": 0, "error": "Connection refused"}


def test_a_header_that_http_does_not_allow_is_not_shown(
    here: Connection,
    port: int,
) -> None:
    pieces: list[bytes] = []
    headers = {"Authorization": "Bearer sk\nkey"}
    here.stream(WebRequest("127.0.0.1", port, "/good", b"x", headers), pieces.append)
    head = json.loads(b"".join(pieces))
    assert head["status"] == 0
    assert "sk" not in head["error"]
