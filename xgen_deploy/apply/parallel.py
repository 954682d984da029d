"""Carries out one host's operations, several at a time: each once those that it waits for ended."""

import threading
from collections.abc import Callable, Sequence

from xgen_deploy.apply.outcomes import OperationOutcomes, Result
from xgen_deploy.state.plan import Operation


def side_by_side(
    operations: Sequence[Operation],
    most: int,
    outcomes: OperationOutcomes,
    carry_out: Callable[[Operation], Result],
) -> list[Result]:
    """The results, in the order of the operations; at most `most` of them are under way at once.
    What `carry_out` raises is raised here once those under way have ended; no more are begun then.
    """
    results: dict[str, Result] = {}
    errors: list[BaseException] = []
    busy: set[str] = set()

    def work(operation: Operation) -> None:
        try:
            results[operation.id] = carry_out(operation)
        except BaseException as error:  # noqa: BLE001 - raised by the thread that waits
            errors.append(error)
        with outcomes.changed:
            busy.discard(operation.id)
            outcomes.changed.notify_all()

    waiting = list(operations)
    while waiting:
        with outcomes.changed:
            outcomes.changed.wait_for(lambda: errors or _next(waiting, busy, most, outcomes))
            operation = None if errors else _next(waiting, busy, most, outcomes)
            if operation is None:
                break
            waiting.remove(operation)
            busy.add(operation.id)
        threading.Thread(target=work, args=(operation,), daemon=True).start()
    with outcomes.changed:
        outcomes.changed.wait_for(lambda: not busy)
    if errors:
        raise errors[0]
    return [results[o.id] for o in operations]


def _next(
    waiting: Sequence[Operation], busy: set[str], most: int, outcomes: OperationOutcomes
) -> Operation | None:
    """The first whose turn it is."""
    if len(busy) >= most:
        return None
    return next((o for o in waiting if outcomes.have_ended((*o.needs, *o.after))), None)
