"""Ports for what listens by itself, where port 0 cannot be asked for."""

import os
import socket
from itertools import count

# Below those that the kernel hands out, and of each test process its own.
_FIRST = 10000 + os.getpid() % 200 * 100
_given = count()


def free_port(in_a_row: int = 1) -> int:
    """The first of so many that nobody listens on, and that were not given out before."""
    while True:
        port = _FIRST + next(_given) * in_a_row % (100 - in_a_row)
        if all(map(_is_free, range(port, port + in_a_row))):
            return port


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As servers do: what only lingers does not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", port))
        except OSError:
            return False
    return True
