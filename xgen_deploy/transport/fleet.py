"""Call a function for many hosts at the same time."""

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import TypeVar

from xgen_deploy.errors import UnreachableError, XgenError
from xgen_deploy.faults import Fault, fault_of
from xgen_deploy.transport.base import Connection
from xgen_deploy.transport.read_only import WriteRefused

R = TypeVar("R")
T = TypeVar("T")
_LOOK_UP = 0.5


def each(
    connections: Sequence[Connection],
    function: Callable[[Connection], R],
    *,
    max_workers: int = 64,
    meanwhile: Callable[[], object] | None = None,
) -> dict[str, R | XgenError]:
    """`function`'s result for each connection, by host name in the order given. An XgenError that
    it raised takes the result's place, as does a Fault (see faults.py) for any other exception.
    WriteRefused is raised here once all have ended. Ctrl-C closes the connections at once, without
    waiting. `meanwhile` is called once all threads are running.
    """
    todo: SimpleQueue[Connection] = SimpleQueue()
    done: SimpleQueue[tuple[str, R | BaseException]] = SimpleQueue()
    for connection in connections:
        todo.put(connection)

    def run_next() -> None:
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
            threading.Thread(target=run_next, daemon=True).start()
        if meanwhile is not None:
            meanwhile()
        results = dict(_next(done) for _ in connections)
    except KeyboardInterrupt:
        for connection in connections:
            connection.close()
        raise
    return {c.name: _kept(c.name, results[c.name]) for c in connections}


def _next(done: SimpleQueue[T]) -> T:
    """Looks up now and then: a Ctrl-C that comes right before the wait would not end it."""
    while True:
        with suppress(Empty):
            return done.get(timeout=_LOOK_UP)


def lost_among(
    results: Mapping[str, R | XgenError], *also: type[XgenError]
) -> dict[str, XgenError]:
    """The hosts of `each` that are left out while the others go on: unreachable ones, faults, and
    errors of the kinds in `also`. Raises any other XgenError, which concerns the whole run.
    """
    errors = {n: r for n, r in results.items() if isinstance(r, XgenError)}
    for error in errors.values():
        if not isinstance(error, (UnreachableError, Fault, *also)):
            raise error
    return errors


def _kept(host: str, result: R | BaseException) -> R | XgenError:
    if isinstance(result, XgenError) or not isinstance(result, BaseException):
        return result
    if isinstance(result, WriteRefused) or not isinstance(result, Exception):
        raise result
    return fault_of(host, result)
