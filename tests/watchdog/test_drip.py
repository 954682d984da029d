"""An engine that sends its answer byte by byte, each in time, and never ends."""

import socket
import threading
from collections.abc import Iterator

import pytest

from xgen_deploy.watchdog import remote

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"


@pytest.fixture(params=["its head", "its body"])
def port(request: pytest.FixtureRequest) -> Iterator[int]:
    """Where it listens. It sends until the other side goes, or the test is over."""
    over = threading.Event()

    def drip() -> None:
        connection, _ = server.accept()
        with connection:
            connection.sendall(HEAD if request.param == "its body" else b"HTTP/1.1 200 OK\r\nA: ")
            while not over.wait(0.02):
                try:
                    connection.sendall(b"#")
                except OSError:
                    return

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=drip)
        thread.start()
        yield server.getsockname()[1]
        over.set()
        thread.join()


def test_an_answer_that_drips_is_none(port: int) -> None:
    """It ends at all: the server's side would go on for good."""
    one = {"address": "127.0.0.1", "port": port}
    assert remote.ask(one, "GET", "/metrics", None, 0.2) == (remote.SILENT, "")
