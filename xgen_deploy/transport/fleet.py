"""Do one thing on many hosts at the same time."""

import threading
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from typing import TypeVar

from xgen_deploy.errors import XgenError
from xgen_deploy.transport.base import Connection

R = TypeVar("R")


def each(
    connections: Sequence[Connection],
    function: Callable[[Connection], R],
    *,
    max_workers: int = 64,
    meanwhile: Callable[[], object] | None = None,
) -> dict[str, R | XgenError]:
    """`function`'s result for each connection, by host name in the order given; an XgenError that
    it raised stands in for the result. Any other exception is raised here when all are done.
    Ctrl-C closes the connections at once and does not wait. `meanwhile` is called once they are
    all under way.
    """
    todo: SimpleQueue[Connection] = SimpleQueue()
    done: SimpleQueue[tuple[str, R | BaseException]] = SimpleQueue()
    for connection in connections:
        todo.put(connection)

    def work() -> None:
        while not todo.empty():
            try:
                connection = todo.get_nowait()
            except Empty:
                return
            try:
                done.put((connection.name, function(connection)))
            except BaseException as error:  # noqa: BLE001
                done.put((connection.name, error))

    try:
        for _ in range(min(max_workers, len(connections))):
            threading.Thread(target=work, daemon=True).start()
        if meanwhile is not None:
            meanwhile()
        results = dict(done.get() for _ in connections)
    except KeyboardInterrupt:
        for connection in connections:
            connection.close()
        raise
    faults = [r for r in results.values() if isinstance(r, BaseException)]
    for fault in faults:
        if not isinstance(fault, XgenError):
            raise fault
    return {c.name: results[c.name] for c in connections}  # type: ignore[misc]
