"""A few blocks stand for all of a long row of them: the same bytes, in a fraction of the time."""

from collections.abc import Sequence
from typing import Any

import pytest

from tests.fit.measured import MIB, model, read, settings
from tests.fit.published import PUBLISHED
from xgen_deploy.fit.cache import layer_caches
from xgen_deploy.fit.layers import host_experts
from xgen_deploy.fit.placement import place
from xgen_deploy.fit.replay import compute
from xgen_deploy.fit.replay.compute import compute_bytes
from xgen_deploy.fit.replay.leafs import Leafs
from xgen_deploy.fit.replay.repeats import replayed_blocks, without_repeats
from xgen_deploy.fit.settings import ALL, Device, Settings, effective
from xgen_deploy.fit.shape import ModelShape


def _every_block(leafs: Leafs) -> Sequence[int]:
    return range(leafs.model.layers)


def _is_the_same(asked: Settings, shape: ModelShape, monkeypatch: pytest.MonkeyPatch) -> bool:
    short = compute_bytes(asked, shape)
    monkeypatch.setattr(compute, "replayed_blocks", _every_block)
    return short == compute_bytes(asked, shape)


SOME = read("cases")[::8]


@pytest.mark.parametrize("case", SOME, ids=[c["id"] for c in SOME])
def test_measured_cases(case: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    assert _is_the_same(settings(case["params"]), model(case["model"]), monkeypatch)


TWO = (Device(name="0"), Device(name="1"))
LIMITED = (Device(name="0"), Device(name="1", largest=128 * MIB))
FIVE_TYPES = {"key_type": "q5_1", "value_type": "q5_1"}
LARGE: list[tuple[str, dict[str, Any]]] = [
    ("llama-3.3-70b", {"devices": TWO, "slots": 4}),
    ("llama-3.3-70b", {"devices": TWO, "layers": 45, "flash": False}),
    ("llama-3.3-70b", {"devices": LIMITED, "slots": 4, "unified": True}),
    ("llama-3.3-70b", {"devices": TWO, **FIVE_TYPES}),
    ("qwen2.5-72b", {"devices": (*TWO, Device(name="2")), "cache_on_device": False}),
    ("qwen2.5-14b", {"devices": ()}),
    (
        "gpt-oss-20b",
        {
            "context": 8192,
            "ubatch": 2048,
            "devices": (*TWO, Device(name="2")),
            "split": (8, 1, 8),
            "cache_on_device": False,
        },
    ),
    ("qwen3-235b-a22b", {"devices": TWO, "overrides": (host_experts(60),)}),
]


@pytest.mark.parametrize(("name", "asked"), LARGE)
def test_large_models(name: str, asked: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    shape = PUBLISHED[name].shape() if name in PUBLISHED else model(name)
    assert _is_the_same(Settings(**{"context": 16384, **asked}), shape, monkeypatch)


def test_of_a_large_model_a_few_blocks_are_replayed() -> None:
    shape, asked = PUBLISHED["llama-3.3-70b"].shape(), Settings(devices=TWO, layers=ALL)
    sizes = effective(asked, shape)
    caches = layer_caches(asked, shape, sizes)
    leafs = Leafs(asked, shape, sizes, place(asked, shape), caches)
    assert len(replayed_blocks(leafs)) < 12


ROWS = [
    ("aaaaaaaaaa", "aaaa"),
    ("aaaaaaaaaaa", "aaaaa"),
    ("aaab", "aaab"),
    ("xabababababababy", "xabababy"),
    ("aaaaaaaabbbbbbbb", "aaaabbbb"),
    ("", ""),
]


@pytest.mark.parametrize(("row", "kept"), ROWS)
def test_what_repeats_itself_is_cut(row: str, kept: str) -> None:
    assert "".join(row[at] for at in without_repeats(row)) == kept
