"""One request over a unix socket on the host."""

from __future__ import annotations

import base64
import socket
import time
from typing import Any

MOST = 16 << 20


def ask_socket(path: str, sent: str, timeout: float) -> dict[str, Any]:
    """The answer until the socket closes; `sent` and the answer are base64. Raises OSError."""
    until = time.monotonic() + timeout
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(timeout)
        connection.connect(path)
        connection.sendall(base64.b64decode(sent))
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while len(answer) <= MOST:
            left = until - time.monotonic()
            if left <= 0:
                raise OSError(f"the answer was incomplete after {timeout:g} s")
            connection.settimeout(left)
            part = connection.recv(1 << 16)
            if not part:
                return {"answer": base64.b64encode(answer).decode()}
            answer += part
    raise OSError(f"the answer is longer than {MOST >> 20} MiB")
