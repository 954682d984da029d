"""A slow link in front of the lab's host: what either side sends arrives half a round trip later.

The kernel's own (`tc netem`) is not on every machine. It runs in a thread of the benchmark, whose
processor time is nobody's in the tables.
"""

import asyncio
import socket
import threading
from collections.abc import Sequence
from contextlib import suppress
from types import TracebackType
from typing import Self

_CHUNK = 1 << 16
_BACKLOG = 512


class Link:
    """Listens on an address of its own for each of `places`, in their order. A context manager."""

    def __init__(self, places: Sequence[str], round_trip: float, port: int = 22) -> None:
        self._delay = round_trip / 2
        self._port = port
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._targets = dict(zip(_listen(len(places)), places, strict=True))
        self.ends: list[tuple[str, int]] = [s.getsockname()[:2] for s in self._targets]

    def __enter__(self) -> Self:
        self._thread.start()
        for listening, address in self._targets.items():
            self._call(self._serve(listening, address)).result()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._call(self._cancel_all()).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        for listening in self._targets:
            listening.close()

    def _call(self, work: object) -> "asyncio.Future[object]":
        return asyncio.run_coroutine_threadsafe(work, self._loop)  # type: ignore[arg-type,return-value]

    async def _serve(self, listening: socket.socket, address: str) -> None:
        async def accept(near: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
            try:
                far, forth = await asyncio.open_connection(address, self._port)
            except OSError:
                back.close()
                return
            await asyncio.gather(self._carry(near, forth), self._carry(far, back))

        await asyncio.start_server(accept, sock=listening, backlog=_BACKLOG)

    async def _cancel_all(self) -> None:
        """What is still open when the benchmark ends."""
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _carry(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        with suppress(ConnectionError):
            while data := await source.read(_CHUNK):
                loop.call_later(self._delay, sink.write, data)
        loop.call_later(self._delay, sink.close)


def _listen(count: int) -> list[socket.socket]:
    """The same free port on `count` addresses of this machine: to its clients as many hosts."""
    sockets: list[socket.socket] = []
    port = 0
    for number in range(1, count + 1):
        listening = socket.create_server((f"127.0.1.{number}", port))
        port = listening.getsockname()[1]
        sockets.append(listening)
    return sockets
