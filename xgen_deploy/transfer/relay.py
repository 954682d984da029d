"""A way to the web by a host that reaches it, for a machine that does not. What is said over it is
TLS from here to there: the host carries bytes that it can neither read nor change.
"""

import json
import socket
import threading
from contextlib import suppress
from queue import SimpleQueue

from xgen_deploy.bounded_json import read_json
from xgen_deploy.errors import XgenError
from xgen_deploy.transfer.remote.web_source import Refused, Unavailable
from xgen_deploy.transport.base import Connection
from xgen_deploy.transport.process import Output, Process

_PIECE = 1 << 16
_HEAD = 4096
_SHOWN = 200


class Relay:
    """`connected` of web_source.py, by way of a host."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def __call__(
        self, host: str, port: int, silence: float, *, inner_allowed: bool
    ) -> socket.socket:
        """Raises Refused and Unavailable."""
        request = {"host": host, "port": port, "silence": silence, "inner_allowed": inner_allowed}
        near, theirs = socket.socketpair()
        ours = _Near(fileno=near.detach())
        began: SimpleQueue[Exception | None] = SimpleQueue()
        carry = (json.dumps(request).encode(), theirs, silence, began)
        threading.Thread(target=self._carry, args=carry, daemon=True).start()
        error = began.get()
        if error is not None:
            ours.close()
            raise error
        ours.settimeout(silence)
        return ours

    def _carry(
        self,
        request: bytes,
        sock: socket.socket,
        silence: float,
        began: SimpleQueue[Exception | None],
    ) -> None:
        """Puts into `began` how it went once; None: it is connected."""
        try:
            with self._connection.relay(request) as (process, got):
                rest = _begun(process, got, silence)
                began.put(None)
                threading.Thread(target=_upward, args=(process, sock), daemon=True).start()
                sock.sendall(rest)
                while not got.ended:
                    got = process.read(silence)
                    sock.sendall(got.out)
        except (Refused, Unavailable) as error:
            began.put(error)
        except (XgenError, OSError) as error:  # the other end of the socket tells that it ended
            began.put(Unavailable(str(error)))
        finally:  # a close alone tells nobody while the other thread waits for what comes
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()


class _Near(socket.socket):
    """This end; http.client sets an option of TCP on every connection."""

    def setsockopt(self, *_: object) -> None:
        """Nothing: TCP begins on the host."""


def _begun(process: Process, got: Output, silence: float) -> bytes:
    """What came after the line that tells how it went. Raises Refused, Unavailable and OSError."""
    text = got.out
    while b"\n" not in text:
        if got.ended or len(text) > _HEAD:
            raise Unavailable("the program there did not start")
        got = process.read(silence)
        text += got.out
    head, _, rest = text.partition(b"\n")
    try:
        value = read_json(head, _HEAD)
        error, refused = str(value["error"])[:_SHOWN], value["refused"] is True
    except (ValueError, KeyError, TypeError):
        raise Unavailable("its answer is malformed") from None
    if error:
        raise Refused(error) if refused else Unavailable(error)
    return rest


def _upward(process: Process, sock: socket.socket) -> None:
    try:
        while data := sock.recv(_PIECE):
            process.send(data)
        process.end_input()
    except OSError:
        return
