"""What a client can do to the gateway's log, its memory and its own error answers."""

import json
import re
import socket
import ssl
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.gateway.conftest import MakeEngine, MakeGateway
from tests.gateway.running_gateway import (
    CLIENT_KEY,
    RunningGateway,
    endpoint,
    sent_raw,
    tls_settings,
)
from tests.gateway.stub import PATIENCE, Engine
from tests.transport.eventually import eventually
from xgen_deploy.gateway.config import Limits

CHAT = "/v1/chat/completions"
LINE = re.compile(
    r'(127\.0\.0\.1) \S+ \S* \d+ \S+ model="[ -~]*" wait=\S+ first=\S+ total=\S+ bytes=\d+'
    r" state=\S+ queue=\d+ retries=\S+"
)
HEAD = b"Host: x\r\nConnection: close\r\n"
H2 = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(3) + b"\x04" + bytes(5)


@pytest.fixture
def chat(make_engine: MakeEngine) -> Engine:
    return make_engine("chat")


@pytest.fixture
def gateway(make_gateway: MakeGateway, chat: Engine) -> RunningGateway:
    gateway = make_gateway()
    gateway.limits = Limits(threads=2, request_s=1)
    gateway.set([endpoint(chat, "org/qwen3")])
    gateway.start()
    return gateway


def post(path: str, body: bytes, *headers: bytes) -> bytes:
    sent = b"".join(h + b"\r\n" for h in (b"Content-Length: %d" % len(body), *headers))
    return b"POST " + path.encode() + b" HTTP/1.1\r\n" + HEAD + sent + b"\r\n" + body


HOSTILE = [
    post(CHAT, json.dumps({"model": "a\nb 200 forged"}).encode()),
    post(CHAT, b'{"model": "a\\u001b[31mb\\u0007\\r\\nforged"}'),
    post(CHAT, '{"model": "a\x1b[2J\u202e\x9b31m"}'.encode()),
    post(CHAT, b'{"model": "\xff\xfe\n"}'),
    post("/m/a%0ab%1b%5b2J" + CHAT, b"{}"),
    post("/m/a%0d%0a127.0.0.1" + CHAT, b"{}"),
    post("/m/%E2%80%AE" + CHAT, b"{}"),
    post("/v1/\x1b[31m", b"{}"),
    post("/v1/모델", b"{}"),
    post("/v1/a\rb", b"{}"),
    b"G\x1bT /v1/models HTTP/1.1\r\n" + HEAD + b"\r\n",
    b"!#$%&'*+-.^_`|~ /v1/models HTTP/1.1\r\n" + HEAD + b"\r\n",
    b"GET /v1/models HTTP/\x1b.1\r\n" + HEAD + b"\r\n",
    b"\x1b[31m\nforged\n\r\n\r\n",
    H2,
]


@pytest.mark.parametrize("request_", HOSTILE)
def test_no_client_writes_lines_or_escapes_into_the_log(
    gateway: RunningGateway, request_: bytes
) -> None:
    before = len(gateway.log())
    gateway.raw(request_)
    assert eventually(lambda: "model=" in gateway.log()[before:])
    for line in gateway.log()[before:].splitlines():
        assert LINE.fullmatch(line), line
    assert "forged" not in gateway.log()


def test_only_names_of_models_that_there_are_are_logged(gateway: RunningGateway) -> None:
    gateway.ask(CHAT, {"model": "my-secret-project"})
    gateway.ask(CHAT, {"model": "org/qwen3"})
    assert eventually(lambda: 'model="org/qwen3"' in gateway.log())
    assert 'model="-"' in gateway.log()
    assert "my-secret-project" not in gateway.log()


def bare(line: bytes, *headers: bytes, body: bytes = b"") -> bytes:
    """A request with exactly these headers."""
    return b"".join(part + b"\r\n" for part in (line, *headers, b"")) + body


HOST = b"Host: x"
POST = b"POST /v1/chat/completions HTTP/1.1"
CHUNKED = b"Transfer-Encoding: chunked"
MALFORMED = {
    "no HTTP": b"nonsense\r\n\r\n",
    "HTTP/0.9": b"GET /health\r\n\r\n",
    "HTTP/2": H2,
    "HTTP/9.9": bare(b"GET /none HTTP/9.9", HOST, b"Connection: close"),
    "TLS": bytes([22, 3, 1, 0, 5, 1, 0, 0, 1, 0]) + b"\r\n\r\n",
    "a path that is not ASCII": post("/m/모델" + CHAT, b"{}"),
    "a whole URL": bare(b"GET http://other/v1/models HTTP/1.1", HOST),
    "two hosts": bare(b"GET /v1/models HTTP/1.1", HOST, b"Host: y"),
    "a bad header": bare(b"GET / HTTP/1.1", HOST, b"b@d\x01: x"),
    "too many headers": bare(b"GET / HTTP/1.1", HOST, *[b"a: b"] * 200),
    "a header that is too large": bare(b"GET / HTTP/1.1", HOST, b"a: " + b"x" * (2 << 20)),
    "two lengths": bare(POST, HOST, b"Content-Length: 1", b"Content-Length: 2"),
    "no number for a length": bare(POST, HOST, b"Content-Length: x"),
    "a bad chunk": bare(POST, HOST, CHUNKED, body=b"ZZ\r\nabc"),
    "a coding that is none": bare(POST, HOST, b"Transfer-Encoding: gzip, chunked"),
    "a websocket": bare(b"GET /v1/x HTTP/1.1", HOST, b"Connection: upgrade", b"Upgrade: websocket"),
    "a tunnel": bare(b"CONNECT other:443 HTTP/1.1", HOST, b"Connection: close"),
    "a trace": bare(b"TRACE / HTTP/1.1", HOST, b"Connection: close"),
    "options of all": bare(b"OPTIONS * HTTP/1.1", HOST, b"Connection: close"),
    "a body for a get": bare(b"GET /v1/none HTTP/1.0", b"Content-Length: 1", body=b"x"),
    "a body that never ends": bare(POST, HOST, b"Content-Length: 9", body=b"abc"),
}


@pytest.mark.parametrize("what", MALFORMED)
def test_no_answer_is_html(gateway: RunningGateway, chat: Engine, what: str) -> None:
    """JSON, or the connection is closed without an answer."""
    answer = gateway.raw(MALFORMED[what])
    assert b"<html" not in answer.lower()
    head, _, body = answer.partition(b"\r\n\r\n")
    if answer:
        assert b"content-type: application/json" in head
        assert json.loads(body)["error"]["message"]
    assert chat.seen == []


def test_clear_text_http2_is_not_spoken(gateway: RunningGateway, make_gateway: MakeGateway) -> None:
    """The connection is closed, where a server of HTTP/2 would begin with its settings."""
    assert gateway.raw(H2) == b""


def test_http2_is_not_spoken_over_tls_either(
    make_gateway: MakeGateway, chat: Engine, folder: Path
) -> None:
    gateway = make_gateway(tls=tls_settings(folder))
    gateway.set([endpoint(chat, "qwen")])
    gateway.start()
    context = ssl.create_default_context(cafile=str(folder / "tls.pem"))
    for offered in (["h2"], ["h2", "http/1.1"], []):
        if offered:
            context.set_alpn_protocols(offered)
        raw = socket.create_connection(("127.0.0.1", gateway.port), timeout=PATIENCE)
        with raw, context.wrap_socket(raw, server_hostname="localhost") as sock:
            assert sock.selected_alpn_protocol() in (None, "http/1.1")
            assert sent_raw(sock, H2) == b""


@pytest.mark.parametrize(
    ("path", "body", "status", "kind"),
    [
        ("/v1/messages", {"model": "none"}, 404, "not_found_error"),
        ("/v1/messages", {}, 400, "invalid_request_error"),
        ("/v1/messages/batches", {"model": "m"}, 404, "not_found_error"),
        ("/v1/messages", {"model": "m", "pad": "x" * 2000}, 413, "request_too_large"),
        ("/v1/messages", {"model": "silent's 100%"}, 503, "overloaded_error"),
        ("/m/silent's%20100%25/v1/messages", {}, 503, "overloaded_error"),
        ("/m/none/v1/messages", {}, 404, "not_found_error"),
    ],
)
def test_errors_have_the_shape_of_the_api_that_was_asked(
    make_gateway: MakeGateway, chat: Engine, path: str, body: object, status: int, kind: str
) -> None:
    gateway = make_gateway()
    gateway.limits = Limits(threads=2, body=1000)
    silent = endpoint(chat, "silent's 100%", port=1).model_copy(update={"instance": "silent"})
    gateway.set([endpoint(chat, "m"), silent])
    gateway.start()
    asked = gateway.ask(path, body)
    assert (asked.status, asked.json["type"]) == (status, "error")
    assert asked.json["error"]["type"] == kind
    other = gateway.ask(path.replace("/v1/messages", CHAT), body)
    assert other.status == status
    assert set(other.json["error"]) == {"message", "type", "param", "code"}
    assert asked.json["error"]["message"] == other.json["error"]["message"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"x-api-key": "sk-door"}, 200),
        ({"X-API-KEY": "sk-door", "Authorization": "Bearer wrong"}, 200),
        ({"Authorization": "Bearer sk-door"}, 200),
        ({"x-api-key": "wrong"}, 401),
        ({"x-api-key": "Bearer sk-door"}, 401),
        ({"x-api-key": ""}, 401),
        ({}, 401),
    ],
)
def test_both_forms_of_the_key_are_taken_and_end_here(
    make_gateway: MakeGateway, chat: Engine, headers: dict[str, str], status: int
) -> None:
    gateway = make_gateway(api_key=CLIENT_KEY)
    gateway.set([endpoint(chat, "m")])
    gateway.start()
    for path, kind in ((CHAT, "invalid_request_error"), ("/v1/messages", "authentication_error")):
        answer = gateway.ask(path, {"model": "m"}, headers=headers)
        assert answer.status == status
        if status == 401:
            assert answer.json["error"]["type"] == kind
    assert all(s["authorization"] is s["x_api_key"] is None for s in chat.seen)
    assert len(chat.seen) == (2 if status == 200 else 0)


def test_large_requests_that_wait_are_all_answered_within_the_limit_of_memory(
    make_gateway: MakeGateway, chat: Engine
) -> None:
    """As many as the gateway takes at once, one at a time."""
    gateway = make_gateway()
    gateway.limits = Limits(threads=2, connections=40, buffers=51)
    gateway.set([endpoint(chat, "m", slots=1)])
    gateway.start()
    body = {"model": "m", "pad": "x" * ((1 << 20) - 100)}
    with ThreadPoolExecutor(40) as pool:
        found = list(pool.map(lambda _: gateway.ask(CHAT, body).status, range(40)))
    assert found == [200] * 40
