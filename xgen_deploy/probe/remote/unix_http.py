"""HTTP over a Unix socket."""

from __future__ import annotations

import http.client
import json
import socket
from typing import Any, NamedTuple


class UnixConnection(http.client.HTTPConnection):
    """A connection to a socket file. Raises OSError where nobody listens or we may not."""

    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class Response(NamedTuple):
    status: int
    body: bytes

    @property
    def value(self) -> Any:
        """The JSON in the body; None where there is none."""
        try:
            return json.loads(self.body.decode("utf-8"))
        except ValueError:
            return None

    @property
    def complaint(self) -> str:
        value = self.value
        message = value.get("message") if isinstance(value, dict) else None
        return message or f"HTTP {self.status}"


def request(path: str, method: str, target: str, timeout: float, body: Any = None) -> Response:
    """One request to the socket at `path`. Raises OSError or http.client.HTTPException."""
    connection = UnixConnection(path, timeout)
    try:
        data = None if body is None else json.dumps(body).encode()
        headers = {} if data is None else {"Content-Type": "application/json"}
        connection.request(method, target, body=data, headers=headers)
        answer = connection.getresponse()
        return Response(answer.status, answer.read())
    finally:
        connection.close()
