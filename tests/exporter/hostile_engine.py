"""Engines that answer as no engine should: what is sent is scripted, byte by byte."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Answer = Callable[[socket.socket], None]


def sends(body: bytes, head: str = "") -> Answer:
    """One HTTP answer, until the connection closes."""

    def answer(connection: socket.socket) -> None:
        connection.sendall(f"HTTP/1.1 200 OK\r\n{head}\r\n".encode() + body)

    return answer


def drips(connection: socket.socket) -> None:
    """A byte at a time, for as long as anybody listens."""
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while not _gone.wait(0.05):
        connection.sendall(b"#")


def never(connection: socket.socket) -> None:
    """Accepts, reads, and says nothing."""
    connection.recv(1)


def endless(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        connection.sendall(b"llamacpp:n_decode_total 1\n" * 4096)


_gone = threading.Event()


@contextmanager
def hostile(answer: Answer) -> Iterator[int]:
    """The port that it listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_serve, args=(listener, answer), daemon=True).start()
        yield listener.getsockname()[1]


def _serve(listener: socket.socket, answer: Answer) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=_attend, args=(connection, answer), daemon=True).start()


def _attend(connection: socket.socket, answer: Answer) -> None:
    with connection:
        try:
            connection.recv(1 << 16)
            answer(connection)
        except OSError:
            pass
