"""One HTTP request made on the host itself, its answer handed on as it comes: a JSON line with the
status (0 where there is no answer, with an `error`), then the body.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import os
import sys
import threading
from typing import Any

from xgen_deploy.transport.remote import web


def main() -> None:
    request = json.loads(sys.stdin.buffer.readline())
    os.write(1, b"XGEN-READY 1\n")
    threading.Thread(target=_end_with_input, daemon=True).start()
    try:
        _answer(request)
    except (OSError, http.client.HTTPException) as error:
        _head(0, getattr(error, "strerror", None) or str(error) or type(error).__name__)
    except ValueError:  # its text would show the header, which may have a key
        _head(0, "the request has a character that HTTP does not allow")
    os._exit(0)


def _answer(request: dict[str, Any]) -> None:
    connection = web.connection_to(
        request["address"], request["port"], request["timeout"], request["tls"]
    )
    body = base64.b64decode(request["body"]) or None
    connection.request(request["method"], request["path"], body, request["headers"])
    answer = connection.getresponse()
    _head(answer.status)
    with contextlib.suppress(OSError, http.client.HTTPException):  # the end tells that it was cut
        while True:
            chunk = answer.read1(1 << 16)
            if not chunk:
                return
            _write(chunk)


def _head(status: int, error: str = "") -> None:
    _write(json.dumps({"status": status, "error": error}).encode() + b"\n")


def _write(data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(1, rest) :]


def _end_with_input() -> None:
    while sys.stdin.buffer.read(1):
        pass
    os._exit(0)
