"""A change between any two manifests can be carried out, keeps what it can, and says what not."""

import random
from pathlib import Path
from typing import Any

import pytest

from tests.plan.fleet import Fleet, Place
from tests.plan.test_moves import assert_done_in_order
from xgen_deploy.state.plan import Operation, Plan

HOSTS = {"a": "h100", "b": "h100", "c": "h100x4", "d": "h100x4"}
SIZE = {"h100": 1, "h100x4": 4}
MODELS = "mnpq"


def some_place(dice: random.Random, hosts: list[str]) -> Place:
    """Each GPU serves one model or none; an instance keeps its name by its model and number."""
    place: dict[str, list[dict[str, Any]]] = {}
    for host in hosts:
        named: set[str] = set()
        for gpu in range(SIZE[HOSTS[host]]):
            model = dice.choice([*MODELS, None, None])
            if model is None:
                continue
            name = model if model not in named else f"{model}-{gpu}"
            named.add(name)
            n_ctx = dice.choice([4096, 4096, 8192])
            place.setdefault(host, []).append(
                {"model": model, "gpus": [gpu], "name": name, "n_ctx": n_ctx}
            )
    return place


@pytest.mark.parametrize("seed", range(60))
def test_a_change_between_two_manifests(tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)
    hosts = dice.sample(list(HOSTS), dice.randint(2, 4))
    before, after = some_place(dice, hosts), some_place(dice, hosts)
    fleet = Fleet(tmp_path, {h: HOSTS[h] for h in hosts})
    fleet.applied(fleet.plan(before).operations)
    plan = fleet.plan(after)
    assert not plan.refusals, plan.refusals
    assert_done_in_order(plan)
    _carry_out(fleet, plan, after, dice)
    assert fleet.plan(after).operations == ()


def _carry_out(fleet: Fleet, plan: Plan, after: Place, dice: random.Random) -> None:
    """Step by step in any order that the plan allows; what holds is looked at after each."""
    kept = {one["model"] for ones in after.values() for one in ones}
    queues = {n: list(h.operations) for n, h in plan.hosts.items() if h.operations}
    done: set[str] = set()
    while any(queues.values()):
        ready = [n for n, ops in queues.items() if ops and set(ops[0].needs) <= done]
        one = queues[dice.choice(ready)].pop(0)
        served = _served(fleet) & kept
        if one.instance is not None:
            _assert_room(fleet, one)
        fleet.applied([one])
        done.add(one.id)
        lost = served - _served(fleet)
        assert not lost or one.interrupts, (one.id, lost)


def _served(fleet: Fleet) -> set[str]:
    return {i.spec.model for r in fleet.records.values() for i in r.instances.values()}


def _assert_room(fleet: Fleet, one: Operation) -> None:
    """Nobody else holds the GPU that it comes to, unless the plan says so."""
    assert one.instance is not None
    said = "\n".join(one.notes)
    for name, other in fleet.records[one.host].instances.items():
        if name != one.name and set(other.spec.gpus) & set(one.instance.spec.gpus):
            assert f"while {one.host}/{name} still holds its GPU" in said, (one.id, name)
