"""What is loaded beside a model counts in what is chosen for it, and in the ways out."""

from pathlib import Path
from typing import Any

import pytest

from tests.plan.memory_fleet import MemoryFleet, source
from xgen_deploy.state.plan import Plan

# 8.1 GiB of its own; the draft model takes 1.6 GiB more.
ALONE = {"source": source("mistral-7b"), "n_ctx": 8192}
BESIDE = {**ALONE, "draft": {"source": source("qwen3-0.6b_draft"), "n_gpu_layers": "all"}}


def _plan(folder: Path, gpus: list[float], place: Any, *fields: dict[str, Any]) -> Plan:
    fleet = MemoryFleet(folder, gpus, binaries={"llama": "/opt/llama-server"})
    models = {f"m{at}": own for at, own in enumerate(fields)}
    return fleet.plan({"h": place}, models=models)


def _placed(plan: Plan) -> list[list[int]]:
    assert not plan.refusals, plan.refusals
    return [[g.index for g in o.instance.gpus] for o in plan.operations if o.instance]


def test_a_card_is_chosen_that_holds_both(tmp_path: Path) -> None:
    place = [{"model": "m0", "gpus": "auto"}]
    assert _placed(_plan(tmp_path, [16, 10], place, ALONE)) == [[1]]
    assert _placed(_plan(tmp_path, [16, 10], place, BESIDE)) == [[0]]


def test_what_comes_before_takes_both(tmp_path: Path) -> None:
    place = [{"model": "m0", "gpus": [0]}, {"model": "m1", "gpus": "auto"}]
    small = {"source": source("mistral-7b_small"), "n_ctx": 4096}
    assert _placed(_plan(tmp_path, [16, 24], place, ALONE, small)) == [[0], [0]]
    assert _placed(_plan(tmp_path, [16, 24], place, BESIDE, small)) == [[0], [1]]


@pytest.mark.parametrize("way", ["n_gpu_layers: ", "n_ctx: "])
def test_ways_out_hold_both(way: str, tmp_path: Path) -> None:
    place = [{"model": "m0", "gpus": [0]}]
    (refusal,) = _plan(tmp_path, [7.5], place, BESIDE).refusals
    line = next(ln.strip() for ln in refusal.hint.splitlines() if ln.strip().startswith(way))
    fitting = {**BESIDE, way.removesuffix(": "): int(line.removeprefix(way))}
    plan = _plan(tmp_path, [7.5], place, fitting)
    assert _placed(plan) == [[0]]
    (memory,) = plan.hosts["h"].memory
    assert memory.left is not None
    assert memory.left >= 512 << 20


def test_layers_are_split_by_what_is_left_beside(tmp_path: Path) -> None:
    """The projector is on the first GPU."""
    projector = {**ALONE, "mmproj": source("mistral-7b_mmproj")}
    place = [{"model": "m0", "gpus": {"count": 2}}]
    plan = _plan(tmp_path, [9, 9], place, projector)
    assert _placed(plan) == [[0, 1]]
    (operation,) = plan.operations
    assert operation.instance is not None
    first, second = operation.instance.spec.llama.tensor_split or ()
    assert first < second / 2
