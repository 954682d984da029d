"""Instances that share a GPU have shares of it that fit together, computed where none is stated."""

from pathlib import Path
from typing import Any

import pytest

from tests.backends.test_vllm_forecast import AWQ
from tests.fit.checkpoints import LLAMA_70B, weight_facts
from tests.fit.measured import read
from tests.render.scene import Scene
from tests.resolve.test_choosing import header
from xgen_deploy.frozen import replace
from xgen_deploy.resolve.host import Resolved, resolve_host
from xgen_deploy.state.facts import ModelFacts
from xgen_deploy.state.instance import Instance
from xgen_deploy.state.record import InstanceRecord, Record

SMALL = next(c["config"] for c in read("choices")["ranks"] if c["model"] == "llama32-1b")
HF = {
    "/m/Llama-3.3-70B": (LLAMA_70B | AWQ, weight_facts(LLAMA_70B, 4)),
    "/m/Llama-3-8B": (SMALL, weight_facts(SMALL)),
}
MODELS: dict[str, Any] = {
    "large": {"source": "/m/Llama-3.3-70B", "backend": "vllm-cuda", "n_ctx": 8192},
    "small": {"source": "/m/Llama-3-8B", "backend": "vllm-cuda", "n_ctx": 8192},
    "gguf": {"source": "/m/Qwen3-8B-Q4_K_M.gguf", "n_ctx": 8192, "n_gpu_layers": "all"},
}


class Host:
    """Four H100."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.record = Record(project="p")

    def resolved(self, *placed: str, rebalance: bool = False, **settings: Any) -> Resolved:
        """`NAME:0` or `NAME:0,1`; `settings` are of `vllm` by model."""
        models = {n: MODELS[n] | {"vllm": settings.get(n, {})} for n in MODELS if n != "gguf"}
        place: list[dict[str, Any]] = []
        for text in placed:
            name, _, gpus = text.partition(":")
            entry: dict[str, Any] = {"model": name, "gpus": [int(g) for g in gpus.split(",")]}
            place.append(entry if len(place) < 2 else entry | {"name": f"{name}-{len(place)}"})
        scene = Scene(
            {
                "case": "sharing",
                "host": "h100x4",
                "runtime": "docker",
                "models": models | {"gguf": MODELS["gguf"]},
                "place": place,
            },
            self._folder,
        )
        facts = replace(scene.facts, models=tuple(map(_seen, scene.facts.models)))
        host = scene.site.hosts["h"]
        return resolve_host(scene.site, host, facts, self.record, scene.layout, rebalance=rebalance)

    def shares(self, *placed: str, **more: Any) -> dict[str, float]:
        """0: none, and the engine has its own."""
        resolved = self.resolved(*placed, **more)
        assert not resolved.refusals, resolved.refusals
        return {i.name: i.spec.vllm.gpu_memory_utilization or 0 for i in resolved.instances}

    def apply(self, *placed: str, **more: Any) -> tuple[Instance, ...]:
        instances = self.resolved(*placed, **more).instances
        for instance in instances:
            last = InstanceRecord(
                spec=instance.spec, digest=instance.digest, declared=instance.declared
            )
            self.record = self.record.with_instance(instance.name, last)
        return instances


def _seen(model: ModelFacts) -> ModelFacts:
    path = model.path or ""
    if path not in HF:
        return replace(model, gguf=header())
    config, weights = HF[path]
    return replace(model, config=config, weights=weights)


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def test_alone_it_has_the_engine_s_own_share(host: Host) -> None:
    assert host.shares("large:0", "small:1") == {"large": 0, "small": 0}


def test_two_on_one_card_share_it(host: Host) -> None:
    shares = host.shares("large:0", "small:0")
    assert 0.9 < shares["large"] + shares["small"] < 0.99
    assert shares["large"] > 0.6
    notes = {i.name: i.notes for i in host.resolved("large:0", "small:0").instances}
    assert (
        f"gpu_memory_utilization {shares['small']:g}: it shares its GPU with large"
        in notes["small"]
    )


def test_what_is_stated_is_left_and_the_rest_shared(host: Host) -> None:
    shares = host.shares("large:0", "small:0", small={"gpu_memory_utilization": 0.2})
    assert shares["small"] == 0.2
    assert shares["large"] == pytest.approx(0.742, abs=0.01)


def test_a_stated_cache_is_what_it_has(host: Host) -> None:
    """vLLM does not start where less than its share is free, whatever its cache is to be."""
    shares = host.shares("large:0", "small:0", small={"kv_cache_memory_bytes": "4G"})
    assert 0.1 < shares["small"] < 0.13
    assert shares["large"] > 0.8


def test_a_neighbour_of_another_engine_counts(host: Host) -> None:
    shares = host.shares("large:0", "gguf:0")
    assert shares["large"] == pytest.approx(0.837, abs=0.005)
    assert shares["gguf"] == 0


def test_over_several_cards_it_has_what_the_fullest_leaves(host: Host) -> None:
    both = host.shares("large:0,1", "small:1")
    assert both["large"] < 0.8


def test_a_neighbour_that_comes_later_changes_nothing_of_what_runs(host: Host) -> None:
    (alone,) = host.apply("large:0")
    resolved = host.resolved("large:0", "small:0")
    large, small = resolved.instances
    assert large.digest == alone.digest
    assert 0 < (small.spec.vllm.gpu_memory_utilization or 0) < 0.08
    (refusal,) = host.resolved("large:0", "small:0", small={"kv_cache_memory_bytes": "8G"}).refusals
    assert "of which 0.92 is large's" in refusal.reason


def test_what_was_computed_stays_until_it_is_asked_for_anew(host: Host) -> None:
    large, small = host.apply("large:0", "small:0")
    assert [i.digest for i in host.resolved("large:0").instances] == [large.digest]
    again = host.resolved("large:0", "small:0", "gguf:0").instances
    assert [i.digest for i in again[:2]] == [large.digest, small.digest]
    anew = host.shares("large:0", "small:0", "gguf:0", rebalance=True)
    assert anew["large"] < (large.spec.vllm.gpu_memory_utilization or 0)


def test_what_is_stated_then_is_taken(host: Host) -> None:
    host.apply("large:0", "small:0")
    stated = host.shares("large:0", "small:0", large={"gpu_memory_utilization": 0.7})
    assert stated["large"] == 0.7


def test_too_many_for_one_card_are_refused(host: Host) -> None:
    resolved = host.resolved("large:0", "small:0", "large:0")
    (refusal,) = resolved.refusals
    assert "of GPU 0's memory, of which" in refusal.reason
