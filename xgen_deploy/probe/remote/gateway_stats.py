"""What the gateway on this host says of its servers, from its runtime socket."""

from __future__ import annotations

import socket
from typing import Any

PATIENCE = 3.0
MOST = 16 << 20


def gateway_stats(path: str) -> dict[str, Any]:
    """`show stat` as it comes; None where no gateway answers there."""
    try:
        return {"gateway_stats": _ask(path, b"show stat\n")}
    except OSError:
        return {"gateway_stats": None}


def _ask(path: str, command: bytes) -> str:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as talk:
        talk.settimeout(PATIENCE)
        talk.connect(path)
        talk.sendall(command)
        parts: list[bytes] = []
        while True:
            part = talk.recv(65536)
            if not part:
                return b"".join(parts).decode("utf-8", "replace")
            parts.append(part)
            if sum(map(len, parts)) > MOST:
                raise OSError("it answers without end")
