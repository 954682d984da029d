"""A server that lies, drips or never ends is told in a sentence, and no file gets its name."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.hub.fake_hub import sha256
from tests.transfer.rig import CHUNK, Rig
from xgen_deploy.transfer.remote import download, part
from xgen_deploy.transfer.remote.download import Fetching, Pace, fetch
from xgen_deploy.transfer.remote.part import File, Part, Wrong
from xgen_deploy.transfer.remote.web_source import Access, Refused, Unavailable

Answer = Callable[[BaseHTTPRequestHandler, bytes], None]
TOKEN = "hf_never-to-be-told"  # noqa: S105


def _head(handler: BaseHTTPRequestHandler, status: int = 200, **headers: object) -> None:
    handler.send_response(status)
    for key, value in headers.items():
        handler.send_header(key.replace("_", "-"), str(value))
    handler.end_headers()


def _endless(handler: BaseHTTPRequestHandler, data: bytes) -> None:
    """Without a length."""
    _head(handler)
    while True:
        handler.wfile.write(bytes(1 << 16))


def _endless_and_said(handler: BaseHTTPRequestHandler, data: bytes) -> None:
    _head(handler, Content_Length=1 << 60)
    while True:
        handler.wfile.write(bytes(1 << 16))


def _endless_head(handler: BaseHTTPRequestHandler, data: bytes) -> None:
    while True:
        handler.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")


def _many_headers(handler: BaseHTTPRequestHandler, data: bytes) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        handler.wfile.write(b"X: y\r\n" * 1000)


def _bomb(handler: BaseHTTPRequestHandler, data: bytes) -> None:
    """As long as the file, and more than that once it is unpacked."""
    packed = gzip.compress(bytes(1 << 22)).ljust(len(data), b"\0")
    _head(handler, Content_Encoding="gzip", Content_Length=len(packed))
    handler.wfile.write(packed)


def _another_range(handler: BaseHTTPRequestHandler, data: bytes) -> None:
    _head(handler, 206, Content_Range=f"bytes 5-{len(data) - 1}/{len(data)}")


def _a_range_of_nonsense(handler: BaseHTTPRequestHandler, data: bytes) -> None:
    _head(handler, 206, Content_Range="bytes " + "9" * 5000)


def _to(location: str) -> Answer:
    def answer(handler: BaseHTTPRequestHandler, data: bytes) -> None:
        _head(handler, 302, Location=location, Content_Length=0)

    answer.__name__ = f"to {location[:30]}"
    return answer


@contextmanager
def _serving(data: bytes, answer: Answer) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            with suppress(OSError):
                answer(self, data)
            self.close_connection = True

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/m.gguf"
    server.shutdown()
    server.server_close()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "CHUNK", CHUNK)
    monkeypatch.setattr(part, "CHUNK", CHUNK)
    monkeypatch.setattr(download, "TRIES", 2)


def _download(rig: Rig, url: str) -> None:
    """As the program on a host does it, in this process."""
    rig.place().parent.mkdir(parents=True)
    file = File(str(rig.place()), len(rig.data), sha256(rig.data), url=url)
    how = Fetching(
        access=Access(TOKEN),
        tell=lambda _: None,
        say=lambda _: None,
        pace=Pace(0),
        pause=lambda _: None,
        silence=1.0,
    )
    coming = Part(file)
    try:
        fetch(coming, how)
        coming.finish()
        coming.end()
    finally:
        coming.close()


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (_endless, "its SHA-256 is "),
        (_endless_and_said, "the source has 1152921504606846976 bytes, not "),
        (_endless_head, ""),
        (_many_headers, "HTTPException"),
        (_bomb, "its SHA-256 is "),
        (_another_range, "answers with another range than was asked for"),
        (_a_range_of_nonsense, "answers with another range than was asked for"),
        (_to("http://169.254.169.254/latest"), "the inner address 169.254.169.254"),
        (_to("http://[::1]:1/x"), "the inner address ::1"),
        (_to("http://localhost:1/x"), "the inner address 127.0.0.1"),
        (_to("file:///etc/shadow"), "redirects to what is no web address"),
        (_to("http://[::1"), "gives an address that cannot be"),
        (_to("/m.gguf"), "redirects more than 6 times"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_it_is_refused_in_a_sentence(rig: Rig, answer: Answer, told: str) -> None:
    with (
        _serving(rig.data, answer) as url,
        pytest.raises((Refused, Unavailable, Wrong)) as error,
    ):
        _download(rig, url)
    said = str(error.value)
    assert told in said
    assert len(said) < 300
    assert "\n" not in said
    assert TOKEN not in said
    assert not rig.place().exists()
    assert all(name.endswith((".xgen-part", ".chunks")) for name in rig.litter())


def test_a_redirect_to_another_port_gets_no_token(rig: Rig) -> None:
    """As hubs send to where their files lie."""
    seen: list[str | None] = []

    def files(handler: BaseHTTPRequestHandler, data: bytes) -> None:
        seen.append(handler.headers.get("Authorization"))
        _head(handler, Content_Length=len(data))
        handler.wfile.write(data)

    with _serving(rig.data, files) as elsewhere:

        def redirecting(handler: BaseHTTPRequestHandler, data: bytes) -> None:
            seen.append(handler.headers.get("Authorization"))
            _to(elsewhere)(handler, data)

        with _serving(rig.data, redirecting) as url:
            _download(rig, url)
    assert rig.place().read_bytes() == rig.data
    assert seen == [f"Bearer {TOKEN}", None]
