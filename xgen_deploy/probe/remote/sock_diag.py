"""Listening TCP sockets, asked of the kernel by netlink. To read /proc/net/tcp it walks a table
that grows with the machine's memory, for milliseconds, whatever listens."""

from __future__ import annotations

import socket
import struct
from typing import Iterator, NamedTuple

NETLINK_SOCK_DIAG, SOCK_DIAG_BY_FAMILY = 4, 20
REQUEST_AND_DUMP = 0x301
ERROR, DONE = 2, 3
LISTENING = 1 << 10
PATIENCE = 5.0
HEADER = struct.Struct("=IHHII")  # length, type, flags, sequence, port
REQUEST = struct.Struct("=BBBxI48x")  # family, protocol, extensions, states; any socket
MESSAGE = struct.Struct("=4x2s2x16s44xI")  # port and address in network order; inode


class Listener(NamedTuple):
    port: int
    address: str
    inode: str


def listeners() -> set[Listener]:
    """Raises OSError where the kernel or a sandbox does not let us ask."""
    listeners = set()
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_SOCK_DIAG) as asked:
        asked.settimeout(PATIENCE)
        for family, size in ((socket.AF_INET, 4), (socket.AF_INET6, 16)):
            request = REQUEST.pack(family, socket.IPPROTO_TCP, 0, LISTENING)
            length = HEADER.size + len(request)
            header = HEADER.pack(length, SOCK_DIAG_BY_FAMILY, REQUEST_AND_DUMP, 0, 0)
            asked.send(header + request)
            for body in _answers(asked):
                port, address, inode = MESSAGE.unpack_from(body)
                name = socket.inet_ntop(family, address[:size])
                listeners.add(Listener(int.from_bytes(port, "big"), name, str(inode)))
    return listeners


def _answers(asked: socket.socket) -> Iterator[bytes]:
    while True:
        data = asked.recv(1 << 16)
        while data:
            length, kind, *_ = HEADER.unpack_from(data)
            if kind == DONE:
                return
            if kind == ERROR:
                raise OSError(-struct.unpack_from("=i", data, HEADER.size)[0], "sock_diag")
            yield data[HEADER.size : length]
            data = data[(length + 3) & ~3 :]
