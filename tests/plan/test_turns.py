"""What one host may do at the same time, and what it does in turn."""

from pathlib import Path
from typing import Any

import pytest

from tests.plan.fleet import Fleet
from xgen_deploy.frozen import replace
from xgen_deploy.plan.concurrency import in_turn, most_at_once
from xgen_deploy.state.plan import HostPlan, Kind, Operation, Strategy

CPU = {"a": [{"model": "m", "gpus": []}, {"model": "n", "gpus": []}]}
ONE_GPU = {"a": [{"model": "m", "gpus": [0]}, {"model": "n", "gpus": [0]}]}


def created(folder: Path, place: Any, kind: str = "cpu", **model: Any) -> tuple[Operation, ...]:
    models = {n: {"source": "/m/Qwen3-8B-Q4_K_M.gguf", "n_ctx": 4096, **model} for n in "mn"}
    return Fleet(folder, {"a": kind}).plan(place, models=models).operations


def turns(operations: tuple[Operation, ...], **changes: Any) -> list[tuple[str, ...]]:
    plan = HostPlan(host="a", operations=tuple(replace(o, **changes) for o in operations))
    return [o.after for o in in_turn({"a": plan})["a"].operations]


def test_new_instances_wait_for_nothing(tmp_path: Path) -> None:
    assert turns(created(tmp_path, CPU)) == [(), ()]


@pytest.mark.parametrize(("strategy", "after"), [("start-first", ("a/m",)), ("stop-first", ())])
def test_the_memory_that_is_free_is_not_counted_on_twice(
    strategy: Strategy, after: tuple[str, ...], tmp_path: Path
) -> None:
    operations = created(tmp_path, CPU)
    assert turns(operations, kind=Kind.UPDATE, strategy=strategy) == [(), after]


def test_those_that_share_a_gpu_restart_in_order(tmp_path: Path) -> None:
    operations = created(tmp_path, ONE_GPU, "rtx24")
    assert turns(operations, kind=Kind.RESTART) == [(), ("a/m",)]
    assert turns(operations, kind=Kind.STOP) == [(), ()]


def test_those_that_share_a_gpu_are_created_in_order(tmp_path: Path) -> None:
    assert [o.needs for o in created(tmp_path, ONE_GPU, "rtx24")] == [(), ("a/m",)]


@pytest.mark.parametrize(("stated", "most"), [({}, 4), ({"max_parallel": 1}, 1)])
def test_the_manifest_says_how_many(stated: dict[str, int], most: int, tmp_path: Path) -> None:
    assert most_at_once(created(tmp_path, CPU, update=stated)) == most


def test_a_port_is_taken_once_it_is_free(tmp_path: Path) -> None:
    """The one that has it is later in the manifest."""
    fleet = Fleet(tmp_path, {"a": "cpu"})
    fleet.applied(fleet.plan({"a": [{"model": "n", "gpus": [], "port": 8005}]}).operations)
    moved = [{"model": "m", "gpus": [], "port": 8005}, {"model": "n", "gpus": [], "port": 8006}]
    needs = {o.name: o.needs for o in fleet.plan({"a": moved}).operations}
    assert needs == {"n": (), "m": ("a/n",)}
