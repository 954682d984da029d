"""What hosts say, asked once for all who look at the same time."""

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from xgen_deploy.apply.histories import Histories
from xgen_deploy.apply.history import followed_entries
from xgen_deploy.plan.out_of_service import in_force
from xgen_deploy.run.run import Run
from xgen_deploy.state.observation import Observed
from xgen_deploy.transport.fleet import each

Answer = TypeVar("Answer")
FRESH = 3.0
FRESH_PLAN = 5.0


class Observations:
    """Who asks while hosts are being asked gets the same answer. Thread-safe."""

    def __init__(self, run: Run, clock: Callable[[], float]) -> None:
        self.run = run
        self._looking = _Once(lambda: run.observe(health=True), FRESH, clock)
        self._planning = _Once(lambda: run.observe(to_bring=True), FRESH_PLAN, clock)
        self._remembering = _Once(lambda: _histories(run), FRESH, clock)

    def now(self) -> Observed:
        """With what engines answer, cordons as they are in force."""
        return in_force(self._looking.value(), time.time())

    def for_plan(self) -> Observed:
        """With what the models' sources say of what is not there."""
        return self._planning.value()

    def histories(self) -> Histories:
        """What all hosts remember of applies."""
        return self._remembering.value()

    def forget(self) -> None:
        """Something was changed: the next one asks the hosts."""
        self._looking.forget()
        self._planning.forget()
        self._remembering.forget()


def _histories(run: Run) -> Histories:
    return each(
        list(run.connections.values()),
        lambda connection: followed_entries(connection, run.layout(connection.name)),
    )


class _Once(Generic[Answer]):
    def __init__(self, ask: Callable[[], Answer], fresh: float, clock: Callable[[], float]) -> None:
        self._ask = ask
        self._fresh = fresh
        self._clock = clock
        self._asking = threading.Lock()
        self._known: tuple[float, Answer] | None = None

    def value(self) -> Answer:
        with self._asking:
            known = self._known
            if known is not None and self._clock() - known[0] < self._fresh:
                return known[1]
            answer = self._ask()
            self._known = (self._clock(), answer)
            return answer

    def forget(self) -> None:
        self._known = None
