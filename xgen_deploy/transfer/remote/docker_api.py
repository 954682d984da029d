"""This host's Docker daemon, through its socket."""

from __future__ import annotations

import http.client
import json
import socket
from typing import Any, Iterator
from urllib.parse import quote

SOCKET = "/var/run/docker.sock"
PATIENCE = 60.0
# Docker is silent while it unpacks a layer.
LONGEST = 3600.0
MOST = 16 << 20
LINE = 1 << 20
MOST_IMAGES = 500


class DockerError(Exception):
    """What the daemon said, or why it says nothing."""


class Connection(http.client.HTTPConnection):
    def __init__(self, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(SOCKET)


def ask(method: str, target: str, body: Any = None) -> Any:
    """The value of its answer; None where it knows no such thing. Raises DockerError."""
    data = None if body is None else json.dumps(body).encode()
    connection = Connection(PATIENCE)
    try:
        connection.request(method, target, data, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        content = answer.read(MOST)
        if answer.status == 404:
            return None
        if answer.status >= 400:
            raise DockerError(_complaint(content, answer.status))
        return json.loads(content) if content.strip() else {}
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise DockerError(f"it does not answer: {error}") from None
    finally:
        connection.close()


def send(
    target: str, pieces: Iterator[bytes] | None = None, headers: dict[str, str] | None = None
) -> None:
    """A request that takes long. The daemon reports success in the status, and failure in a line.
    Raises DockerError."""
    connection = Connection(LONGEST)
    try:
        if pieces is None:
            connection.request("POST", target, b"", headers or {})
        else:
            _post_chunked(connection, target, pieces)
        answer = connection.getresponse()
        if answer.status >= 400:
            raise DockerError(_complaint(answer.read(MOST), answer.status))
        _follow(answer)
    except (OSError, http.client.HTTPException) as error:
        raise DockerError(f"the connection to it was lost: {error}") from None
    finally:
        connection.close()


def _follow(answer: http.client.HTTPResponse) -> None:
    while True:
        line = answer.readline(LINE)
        if not line:
            return
        try:
            said = json.loads(line)
        except ValueError:
            continue
        if isinstance(said, dict) and said.get("error"):
            raise DockerError(str(said["error"])[:500])
        text = said.get("stream") if isinstance(said, dict) else None
        # The containerd store says so in passing, and reports success.
        if isinstance(text, str) and text.lstrip().startswith("Error "):
            raise DockerError(text.strip()[:500])


def _post_chunked(connection: Connection, target: str, pieces: Iterator[bytes]) -> None:
    connection.putrequest("POST", target)
    connection.putheader("Content-Type", "application/x-tar")
    connection.putheader("Transfer-Encoding", "chunked")
    connection.endheaders()
    try:
        for piece in pieces:
            if piece:
                connection.send(b"%x\r\n%b\r\n" % (len(piece), piece))
        connection.send(b"0\r\n\r\n")
    except (BrokenPipeError, ConnectionResetError):  # it has answered already: that says why
        return


def image(reference: str) -> Any:
    """As the daemon has it; None where it has none of this name or ID."""
    return ask("GET", f"/images/{named(reference)}/json")


def layers_of_images() -> list[list[str]]:
    """Of each image its layers, from the first on; none where no daemon answers."""
    try:
        listed = ask("GET", "/images/json") or []
        seen = [image(entry["Id"]) or {} for entry in listed[:MOST_IMAGES]]
        return [layers for i in seen if (layers := (i.get("RootFS") or {}).get("Layers"))]
    except (DockerError, TypeError, KeyError, AttributeError):
        return []


def named(reference: str) -> str:
    return quote(reference, safe="-._~/:@")


def _complaint(content: bytes, status: int) -> str:
    try:
        return str(json.loads(content)["message"])[:500]
    except (ValueError, KeyError, TypeError):
        return f"HTTP {status}"
