"""How the operations of all hosts ended, so that one host's may wait for another's."""

import threading
from collections.abc import Iterable

from xgen_deploy.state.plan import Operation


class OperationOutcomes:
    """Over all operations that are being carried out; what is not among them never ends well."""

    def __init__(self, operations: Iterable[Operation]) -> None:
        self._open = {o.id for o in operations}
        self._good: set[str] = set()
        self._changed = threading.Condition()

    def ended(self, operation: Operation, *, ok: bool) -> None:
        with self._changed:
            self._open.discard(operation.id)
            if ok:
                self._good.add(operation.id)
            self._changed.notify_all()

    def give_up(self, operations: Iterable[Operation]) -> None:
        """Their host was lost: whoever waits for them goes no further."""
        with self._changed:
            self._open -= {o.id for o in operations}
            self._changed.notify_all()

    def failed_of(self, needs: tuple[str, ...]) -> tuple[str, ...]:
        """Waits until all of these have ended; those that did not end well."""
        with self._changed:
            self._changed.wait_for(lambda: not self._open & set(needs))
            return tuple(n for n in needs if n not in self._good)
