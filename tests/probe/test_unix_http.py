import socket
import threading
from pathlib import Path

import pytest

from xgen_deploy.probe.remote.unix_http import Response, quote, request

ANSWERS = {
    "counted": (b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n[12]tail", Response(200, b"[12]")),
    "in chunks": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;x\r\n[1\r\n2\r\n2]\r\n0\r\n\r\n",
        Response(200, b"[12]"),
    ),
    "to the end": (b"HTTP/1.0 404 Not Found\r\n\r\nnothing", Response(404, b"nothing")),
    "without content": (b"HTTP/1.1 204 No Content\r\n\r\n", Response(204, b"")),
}


def ask(folder: Path, answer: bytes) -> Response:
    """A request to a socket where one answer is given and the connection closed."""
    path = folder / "s"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()

        def serve() -> None:
            peer, _ = server.accept()
            with peer:
                peer.recv(1 << 16)
                peer.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            return request(str(path), "GET", "/", 5.0)
        finally:
            thread.join()


@pytest.mark.parametrize("case", ANSWERS)
def test_an_answer_is_read_in_every_form(tmp_path: Path, case: str) -> None:
    answer, expected = ANSWERS[case]
    assert ask(tmp_path, answer) == expected


@pytest.mark.parametrize("answer", [b"", b"SSH-2.0-OpenSSH_9\r\n"])
def test_what_is_no_http_is_refused(tmp_path: Path, answer: bytes) -> None:
    with pytest.raises(ValueError, match="does not speak HTTP"):
        ask(tmp_path, answer)


def test_a_filter_is_quoted() -> None:
    assert quote('{"label":["ü"]}') == "%7B%22label%22:%5B%22%C3%BC%22%5D%7D"
