"""A model that leaves one place for another: what waits for what, and what cannot wait."""

from pathlib import Path
from typing import Any

import pytest

from tests.plan.fleet import Fleet, Place
from xgen_deploy.plan.moves import NO_ROOM
from xgen_deploy.plan.text import plan_text
from xgen_deploy.state.plan import Operation, Plan

ON_A: Place = {"a": [{"model": "m", "gpus": [0]}]}
ON_B: Place = {"b": [{"model": "m", "gpus": [0]}]}


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    return Fleet(tmp_path, {"a": "h100", "b": "h100", "c": "h100x4"})


def moved(fleet: Fleet, before: Place, after: Place, *limits: str, **more: Any) -> Plan:
    first = fleet.plan(before)
    assert not first.refusals, first.refusals
    fleet.applied(first.operations)
    return fleet.plan(after, *limits, **more)


def by_id(plan: Plan) -> dict[str, Operation]:
    return {f"{o.action} {o.id}": o for o in plan.operations}


def text(plan: Plan) -> str:
    return "\n".join(plan_text(plan, 0.0))


def test_a_move_to_another_host_waits_for_the_new_one(fleet: Fleet) -> None:
    plan = moved(fleet, ON_A, ON_B)
    found = by_id(plan)
    old, new = found["remove a/m"], found["create b/m"]
    assert (old.needs, old.moves, old.interrupts) == (("b/m",), True, False)
    assert new.needs == ()
    said = text(plan)
    assert "after b/m" in said
    assert "a move: it serves until b/m is verified" in said
    assert "a move: a/m serves until this one is verified" in said
    assert "INTERRUPTION" not in said


def test_so_does_one_under_another_name_where_both_fit(fleet: Fleet) -> None:
    """On the same host, on another GPU, with a port of its own."""
    before = {"c": [{"model": "m", "gpus": [0]}]}
    found = by_id(moved(fleet, before, {"c": [{"model": "m", "gpus": [1], "name": "m-new"}]}))
    old, new = found["remove c/m"], found["create c/m-new"]
    assert (old.needs, new.needs) == (("c/m-new",), ())
    assert new.instance is not None
    assert new.instance.spec.port != fleet.records["c"].instances["m"].spec.port


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"gpus": [0]}, {"gpus": [0]}),
        ({"gpus": [0], "port": 8005}, {"gpus": [1], "port": 8005}),
    ],
    ids=["the same GPU", "the same port"],
)
def test_where_the_two_compete_the_old_one_goes_first_and_that_is_said(
    fleet: Fleet, before: dict[str, Any], after: dict[str, Any]
) -> None:
    place = {"c": [{"model": "m", **before}]}
    plan = moved(fleet, place, {"c": [{"model": "m", "name": "m-new", **after}]})
    found = by_id(plan)
    old, new = found["remove c/m"], found["create c/m-new"]
    assert (old.needs, new.needs, old.interrupts) == ((), ("c/m",), True)
    assert NO_ROOM in old.notes
    assert "1 INTERRUPTION" in text(plan)


def test_the_host_s_memory_counts_where_both_are_on_the_cpu(tmp_path: Path) -> None:
    fleet = Fleet(tmp_path, {"a": "cpu"})
    before: Place = {"a": [{"model": "m", "gpus": []}]}
    after: Place = {"a": [{"model": "m", "gpus": [], "name": "m-new"}]}
    for free, needs in ((1, ("a/m",)), (1 << 20, ())):
        fleet.free["a"] = free
        fleet.records["a"] = fleet.records["a"].model_copy(update={"instances": {}})
        assert by_id(moved(fleet, before, after))["create a/m-new"].needs == needs


def test_what_comes_waits_only_for_what_is_in_its_way(fleet: Fleet) -> None:
    before: Place = {"c": [{"model": "x", "gpus": [0]}, {"model": "y", "gpus": [1]}]}
    found = by_id(moved(fleet, before, {"c": [{"model": "z", "gpus": [1]}]}))
    assert found["create c/z"].needs == ("c/y",)
    assert found["remove c/x"].needs == ()


def test_two_models_that_change_places_do_not_wait_for_each_other(fleet: Fleet) -> None:
    before: Place = {"a": [{"model": "m", "gpus": [0]}], "b": [{"model": "n", "gpus": [0]}]}
    after: Place = {"a": [{"model": "n", "gpus": [0]}], "b": [{"model": "m", "gpus": [0]}]}
    plan = moved(fleet, before, after)
    found = by_id(plan)
    gone = [o for o in found.values() if o.action == "remove"]
    assert sorted(bool(o.needs) for o in gone) == [False, True], "one of the two is enough"
    assert [o.interrupts for o in gone if not o.needs] == [True]
    assert text(plan).count(NO_ROOM) == 1
    assert_done_in_order(plan)


def test_fewer_replicas_wait_for_the_update_of_the_others(fleet: Fleet) -> None:
    before: Place = {"c": [{"model": "m", "gpus": [0]}, {"model": "m", "gpus": [1], "name": "m-2"}]}
    after: Place = {"c": [{"model": "m", "gpus": [0], "n_ctx": 8192}]}
    found = by_id(moved(fleet, before, after))
    assert found["remove c/m-2"].needs == ("c/m",)
    alone = by_id(moved(fleet, before, {"c": before["c"][:1]}))
    assert alone["remove c/m-2"].needs == ()


def test_a_host_that_leaves_a_group_waits_for_the_one_that_joins(fleet: Fleet) -> None:
    before: Place = {**ON_A, "c": [{"model": "m", "gpus": [0]}]}
    after: Place = {**ON_B, "c": [{"model": "m", "gpus": [0]}]}
    assert by_id(moved(fleet, before, after))["remove a/m"].needs == ("b/m",)


def test_what_was_stopped_on_purpose_keeps_nobody_waiting(fleet: Fleet) -> None:
    fleet.applied(fleet.plan(ON_A).operations)
    fleet.stopped("a", "m")
    assert by_id(fleet.plan(ON_B))["remove a/m"].needs == ()


def test_a_move_to_a_host_that_cannot_be_reached_leaves_the_old_one(fleet: Fleet) -> None:
    fleet.unseen.add("b")
    plan = moved(fleet, {**ON_A}, {**ON_B, "a": [{"model": "x", "gpus": [0]}]})
    assert plan.operations == (), "nor what would take its GPU"
    assert any("b/m, which is to serve m, cannot be reached" in w for w in plan.hosts["a"].warnings)


def test_a_move_to_a_host_that_is_refused_leaves_the_old_one(fleet: Fleet) -> None:
    after: Place = {"b": [{"model": "m", "gpus": [7]}]}
    plan = moved(fleet, ON_A, after, skip_refused=True)
    assert (plan.operations, plan.left_out) == ((), ("b",))
    assert any("b/m, which is to serve m, is refused" in w for w in plan.hosts["a"].warnings)


def test_limited_to_the_old_host_it_goes_and_a_new_one_that_was_not_seen_is_said(
    fleet: Fleet,
) -> None:
    plan = moved(fleet, ON_A, ON_B, "a")
    assert by_id(plan)["remove a/m"].needs == ()
    assert any("without checking that b/m serves m" in w for w in plan.hosts["a"].warnings)


def assert_done_in_order(plan: Plan) -> None:
    """Each host does its operations one after the other as listed, and none waits for ever."""
    left = {name: list(h.operations) for name, h in plan.hosts.items() if h.operations}
    ids, done = {o.id for o in plan.operations}, set[str]()
    while left:
        ready = [n for n, ops in left.items() if not (set(ops[0].needs) & ids) - done]
        assert ready, f"all wait: {[(o[0].id, o[0].needs) for o in left.values()]}"
        for name in ready:
            done.add(left[name].pop(0).id)
        left = {n: ops for n, ops in left.items() if ops}
