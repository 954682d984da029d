"""Independent operations of one host are under way at the same time; the others wait their turn."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from xgen_deploy.apply.outcomes import OperationOutcomes, Result
from xgen_deploy.apply.parallel import side_by_side
from xgen_deploy.errors import XgenError
from xgen_deploy.state.plan import Kind, Operation

_PATIENCE = 20.0


def operation(name: str, *, needs: tuple[str, ...] = (), after: tuple[str, ...] = ()) -> Operation:
    return Operation(
        id=name, host="h", name=name, kind=Kind.CREATE, cause="", needs=needs, after=after
    )


class Doing:
    """Notes what is under way, and ends each operation as `ok` says."""

    def __init__(self, *operations: Operation, ok: Callable[[str], bool] = lambda _: True) -> None:
        self.outcomes = OperationOutcomes(operations)
        self.order: list[str] = []
        self.most = 0
        self._ok = ok
        self._busy = 0
        self._noting = threading.Lock()
        self.meanwhile: Callable[[str], object] = lambda _: None

    def __call__(self, one: Operation) -> Result:
        with self._noting:
            self.order.append(one.id)
            self._busy += 1
            self.most = max(self.most, self._busy)
        try:
            self.meanwhile(one.id)
        finally:
            with self._noting:
                self._busy -= 1
        failed = self.outcomes.failed_of(one.needs)
        result = Result(one, ok=self._ok(one.id) and not failed)
        self.outcomes.ended(one, ok=result.ok)
        return result


def test_independent_ones_are_under_way_at_once() -> None:
    operations = [operation(n) for n in "abc"]
    doing, meeting = Doing(*operations), threading.Barrier(3, timeout=_PATIENCE)
    doing.meanwhile = lambda _: meeting.wait()
    results = side_by_side(operations, 3, doing.outcomes, doing)
    assert [r.operation.id for r in results] == ["a", "b", "c"]


@pytest.mark.parametrize("most", [1, 2])
def test_no_more_than_so_many(most: int) -> None:
    operations = [operation(n) for n in "abcdef"]
    doing = Doing(*operations)
    side_by_side(operations, most, doing.outcomes, doing)
    assert doing.most <= most
    assert len(doing.order) == 6


def test_one_waits_for_what_it_needs_and_for_what_it_comes_after() -> None:
    operations = [
        operation("a"),
        operation("b", needs=("a",)),
        operation("c", after=("b",)),
        operation("d", needs=("b",)),
    ]
    doing = Doing(*operations, ok=lambda name: name != "a")
    results = side_by_side(operations, 4, doing.outcomes, doing)
    assert doing.order.index("a") < doing.order.index("b") < doing.order.index("c")
    assert {r.operation.id: r.ok for r in results} == {
        "a": False,
        "b": False,
        "c": True,
        "d": False,
    }


def test_one_that_waits_for_another_host_keeps_nobody_from_going_on() -> None:
    """Each host does one at a time, and the first of each waits for the last of the other."""
    here = [operation("a1", needs=("b2",)), operation("a2")]
    there = [operation("b1", needs=("a2",)), operation("b2")]
    doing = Doing(*here, *there)
    other = threading.Thread(
        target=side_by_side, args=(there, 1, doing.outcomes, doing), daemon=True
    )
    other.start()
    side_by_side(here, 1, doing.outcomes, doing)
    other.join(_PATIENCE)
    assert sorted(doing.order) == ["a1", "a2", "b1", "b2"]


def _lost(_name: str) -> None:
    raise XgenError("h: the connection was lost")


def test_where_the_host_is_lost_no_more_are_begun() -> None:
    operations = [operation(n) for n in "ab"]
    doing = Doing(*operations)
    doing.meanwhile = _lost
    with pytest.raises(XgenError, match="the connection was lost"):
        side_by_side(operations, 1, doing.outcomes, doing)
    assert doing.order == ["a"]


def test_those_under_way_end_before_that_is_said() -> None:
    operations, ended = [operation(n) for n in "ab"], []
    doing, meeting = Doing(*operations), threading.Barrier(2, timeout=_PATIENCE)

    def meanwhile(name: str) -> None:
        meeting.wait()
        if name == "a":
            _lost(name)
        ended.append(name)

    doing.meanwhile = meanwhile
    with pytest.raises(XgenError, match="the connection was lost"):
        side_by_side(operations, 2, doing.outcomes, doing)
    assert ended == ["b"]
