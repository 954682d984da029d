"""A host before that lies, drips or never ends costs some time, and the rest comes from here."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.transfer.rig import CHUNK, Rig, chunks_of
from xgen_deploy.state.transfer import Peer
from xgen_deploy.transfer.identity import new_identity

Answer = Callable[[BaseHTTPRequestHandler, bytes], None]


def _endless(handler: BaseHTTPRequestHandler, chunk: bytes) -> None:
    _head(handler, 1 << 40)
    while True:
        handler.wfile.write(bytes(1 << 16))


def _without_length(handler: BaseHTTPRequestHandler, chunk: bytes) -> None:
    _head(handler, None)
    handler.wfile.write(chunk)
    handler.close_connection = True


def _endless_head(handler: BaseHTTPRequestHandler, chunk: bytes) -> None:
    while True:
        handler.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")


def _dripping(handler: BaseHTTPRequestHandler, chunk: bytes) -> None:
    """A byte now and then, for ever."""
    _head(handler, len(chunk))
    for byte in chunk:
        handler.wfile.write(bytes([byte]))
        threading.Event().wait(0.05)


def wrong(handler: BaseHTTPRequestHandler, chunk: bytes) -> None:
    _head(handler, len(chunk))
    handler.wfile.write(bytes(len(chunk)))


def _elsewhere(handler: BaseHTTPRequestHandler, chunk: bytes) -> None:
    handler.send_response(302)
    handler.send_header("Location", "http://169.254.169.254/")
    handler.send_header("Content-Length", "0")
    handler.end_headers()


def _never_ready(handler: BaseHTTPRequestHandler, chunk: bytes) -> None:
    handler.send_error(503)


def _broken_off(handler: BaseHTTPRequestHandler, chunk: bytes) -> None:
    _head(handler, len(chunk))
    handler.wfile.write(chunk[:1000])
    handler.close_connection = True


def _head(handler: BaseHTTPRequestHandler, length: int | None) -> None:
    handler.send_response(200)
    if length is not None:
        handler.send_header("Content-Length", str(length))
    handler.end_headers()


@contextmanager
def bad_peer(data: bytes, answer: Answer, *, other_key: bool = False) -> Iterator[Peer]:
    identity = new_identity()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            chunk = int(self.path.rpartition("/")[2]) * CHUNK
            with suppress(OSError):
                answer(self, data[chunk : chunk + CHUNK])

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    pem = Path(f"/dev/shm/xgen-test-{server.server_port}.pem")
    pem.write_text(identity.pem)
    context.load_cert_chain(pem)
    pem.unlink()
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    fingerprint = new_identity().fingerprint if other_key else identity.fingerprint
    port = server.server_port
    yield Peer(
        name="before", address="127.0.0.1", port=port, token="t" * 43, certificate=fingerprint
    )
    server.shutdown()
    server.server_close()


@pytest.fixture
def held(rig: Rig) -> Path:
    path = rig.folder / "operator.gguf"
    path.write_bytes(rig.data)
    return path


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (_endless, "it sends another length than was asked for"),
        (_without_length, "it sends another length than was asked for"),
        (_endless_head, ""),
        (_dripping, ""),
        (wrong, "chunk 2 is damaged"),
        (_elsewhere, "it answers 302"),
        (_never_ready, "it does not get the file either"),
        (_broken_off, "the connection broke"),
    ],
)
def test_the_rest_comes_from_here(rig: Rig, held: Path, answer: Answer, told: str) -> None:
    with bad_peer(rig.data, answer) as peer:
        file = rig.file(chunks=chunks_of(rig.data))
        hop = rig.hop(route="peer", peer=peer, files=(file,))
        assert rig.bring([hop], lambda _: held) == {"a": None}
    assert rig.place().read_bytes() == rig.data
    (lost,) = rig.events("lost")
    assert told in lost.text


def test_who_has_another_key_gets_no_token(rig: Rig, held: Path) -> None:
    asked: list[str] = []

    def listen(handler: BaseHTTPRequestHandler, chunk: bytes) -> None:
        asked.append(handler.path)

    with bad_peer(rig.data, listen, other_key=True) as peer:
        hop = rig.hop(route="peer", peer=peer)
        assert rig.bring([hop], lambda _: held) == {"a": None}
    assert asked == []
    (lost,) = rig.events("lost")
    assert lost.text.startswith("another program answers there")


def test_one_damaged_chunk_comes_from_here_and_the_others_from_the_host_before(
    rig: Rig, held: Path
) -> None:
    def once(handler: BaseHTTPRequestHandler, chunk: bytes) -> None:
        (wrong if handler.path == "/0/2" else _right)(handler, chunk)

    with bad_peer(rig.data, once) as peer:
        file = rig.file(chunks=chunks_of(rig.data))
        hop = rig.hop(route="peer", peer=peer, files=(file,))
        assert rig.bring([hop], lambda _: held) == {"a": None}
    assert rig.events("lost") == []
    assert [e.chunks for e in rig.events("need")] == [(2,)]


def _right(handler: BaseHTTPRequestHandler, chunk: bytes) -> None:
    _head(handler, len(chunk))
    handler.wfile.write(chunk)
