"""Carries bytes between this host's standard streams and one address of the web, for a machine that
does not reach it: who answers there is proved by TLS, over there.
"""

from __future__ import annotations

import io
import json
import os
import socket
import sys
import threading

from xgen_deploy.transfer.remote.web_source import Refused, Unavailable, connected

PIECE = 1 << 16


def main() -> None:
    """The request is a line of JSON: `host`, `port`, `silence`, `inner_allowed`. A line of JSON
    answers, with an `error`, "" for none; then come the bytes."""
    request = json.loads(sys.stdin.buffer.readline())
    os.write(1, b"XGEN-READY 1\n")
    try:
        sock = connected(
            request["host"],
            request["port"],
            request["silence"],
            inner_allowed=request["inner_allowed"],
        )
    except (OSError, Unavailable) as error:
        _answer(str(error), refused=False)
        os._exit(0)
    except Refused as error:
        _answer(str(error), refused=True)
        os._exit(0)
    _answer("", refused=False)
    threading.Thread(target=_upward, args=(sock,), daemon=True).start()
    _downward(sock)
    os._exit(0)


def _answer(error: str, *, refused: bool) -> None:
    _write(json.dumps({"error": error, "refused": refused}).encode() + b"\n")


def _upward(sock: socket.socket) -> None:
    stream: io.BufferedReader = sys.stdin.buffer  # type: ignore[assignment]
    while True:
        data = stream.read1(PIECE)
        if not data:
            os._exit(0)
        try:
            sock.sendall(data)
        except OSError:
            os._exit(0)


def _downward(sock: socket.socket) -> None:
    try:
        while True:
            data = sock.recv(PIECE)
            if not data:
                return
            _write(data)
    except OSError:
        return


def _write(data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(1, rest) :]
