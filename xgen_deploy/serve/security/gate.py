"""The outermost part of the application: refuses what request_rules.py names, reads a request's
body within bounds, and puts the headers on every answer."""

import asyncio
import json
from collections.abc import Mapping

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from xgen_deploy.serve.security.request_rules import (
    BODY_WITHIN,
    HEADERS,
    MOST_BODY,
    TOO_LARGE,
    TOO_SLOW,
    Refused,
    refusal,
)


class Gate:
    """An ASGI middleware."""

    def __init__(self, app: ASGIApp, *, known_hosts: frozenset[str]) -> None:
        self._app = app
        self._known_hosts = known_hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        refused = refusal(scope["method"], headers, self._known_hosts, _own_address(scope))
        if refused is None and _has_body(headers):
            body = await _body(receive)
            if isinstance(body, Refused):
                refused = body
            else:
                receive = _again(body, receive)
        if refused is not None:
            await _answer(refused, _with_headers(send))
            return
        await self._app(scope, receive, _with_headers(send))


def _own_address(scope: Scope) -> str:
    address, port = scope.get("server") or ("", 0)
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _has_body(headers: Mapping[str, str]) -> bool:
    return "content-length" in headers or "transfer-encoding" in headers


async def _body(receive: Receive) -> bytes | Refused:
    pieces: list[bytes] = []
    try:
        async with asyncio.timeout(BODY_WITHIN):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    return TOO_SLOW
                pieces.append(message.get("body", b""))
                if sum(map(len, pieces)) > MOST_BODY:
                    return TOO_LARGE
                if not message.get("more_body", False):
                    return b"".join(pieces)
    except TimeoutError:
        return TOO_SLOW


def _again(body: bytes, receive: Receive) -> Receive:
    """The body that was read, then what comes after it."""
    first: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def next_message() -> Message:
        return first.pop() if first else await receive()

    return next_message


def _with_headers(send: Send) -> Send:
    """An answer's own go over them."""

    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return send_with_headers


async def _answer(refused: Refused, send: Send) -> None:
    body = json.dumps({"errors": [{"message": refused.reason}]}).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": refused.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
