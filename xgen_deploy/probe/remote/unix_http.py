"""HTTP over a Unix socket; the library's client takes longer to import than Docker to answer."""

from __future__ import annotations

import json
import socket
from typing import Any, BinaryIO, NamedTuple

from xgen_deploy.bounded_json import read_json

SAFE = "-._~/:@"
LONGEST_LINE = 1 << 16
MOST_HEADERS = 200
MOST = 16 << 20


class Response(NamedTuple):
    status: int
    body: bytes
    server: str | None = None

    @property
    def value(self) -> Any:
        """The JSON in the body; None where there is none."""
        try:
            return read_json(self.body, MOST)
        except ValueError:
            return None

    @property
    def complaint(self) -> str:
        value = self.value
        message = value.get("message") if isinstance(value, dict) else None
        return message or f"HTTP {self.status}"


class Exchange:
    """One request on a connection of its own; its answer can be awaited in two steps.

    Raises OSError where nobody listens, we may not, or time runs out, and ValueError where the
    answer is no HTTP.
    """

    def __init__(
        self, path: str, method: str, target: str, timeout: float, body: Any = None
    ) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(timeout)
        try:
            self._socket.connect(path)
            self._socket.sendall(_message(method, target, body))
        except BaseException:
            self._socket.close()
            raise
        self._input = self._socket.makefile("rb")

    def head(self) -> tuple[int, dict[str, str]]:
        first = self._input.readline(LONGEST_LINE).split()
        if len(first) < 2 or not first[0].startswith(b"HTTP/") or not first[1].isdigit():
            raise ValueError("what listens there does not speak HTTP")
        headers: dict[str, str] = {}
        for line in iter(lambda: self._input.readline(LONGEST_LINE).strip(), b""):
            if len(headers) >= MOST_HEADERS:
                raise ValueError("it sends header lines without end")
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.strip().lower()] = value.strip()
        return int(first[1]), headers

    def rest(self) -> bytes:
        """Everything until the other side closes. Raises ValueError where it is more than MOST."""
        return _bounded(self._input.read(MOST + 1))

    def answer(self) -> Response:
        status, headers = self.head()
        server = headers.get("server")
        if status == 204:
            return Response(status, b"", server)
        if headers.get("transfer-encoding", "").lower() == "chunked":
            return Response(status, _chunks(self._input), server)
        length = headers.get("content-length")
        if length is None:
            return Response(status, self.rest(), server)
        if not length.isdigit() or int(length) > MOST:
            raise ValueError(f"it announces an answer of {length[:20]} bytes")
        return Response(status, self._input.read(int(length)), server)

    def close(self) -> None:
        self._input.close()
        self._socket.close()


def request(path: str, method: str, target: str, timeout: float, body: Any = None) -> Response:
    """One request to the socket at `path`. Raises OSError or ValueError, as Exchange does."""
    exchange = Exchange(path, method, target, timeout, body)
    try:
        return exchange.answer()
    finally:
        exchange.close()


def quote(text: str) -> str:
    """For a URL's path or query."""
    return "".join(
        chr(byte) if (chr(byte).isalnum() and byte < 128) or chr(byte) in SAFE else f"%{byte:02X}"
        for byte in text.encode()
    )


def _message(method: str, target: str, body: Any) -> bytes:
    data = b"" if body is None else json.dumps(body).encode()
    lines = [f"{method} {target} HTTP/1.1", "Host: localhost", "Connection: close"]
    if method != "GET":
        lines += ["Content-Type: application/json", f"Content-Length: {len(data)}"]
    return "\r\n".join([*lines, "", ""]).encode() + data


def _bounded(data: bytes) -> bytes:
    if len(data) > MOST:
        raise ValueError(f"its answer is longer than {MOST >> 20} MiB")
    return data


def _chunks(stream: BinaryIO) -> bytes:
    chunks: list[bytes] = []
    total = 0
    while True:
        size = int(stream.readline(LONGEST_LINE).split(b";")[0], 16)
        if size == 0:
            return b"".join(chunks)
        total += size
        if size < 0 or total > MOST:
            raise ValueError(f"its answer is longer than {MOST >> 20} MiB")
        chunks.append(stream.read(size))
        stream.readline(LONGEST_LINE)
