"""Layers, experts, pages and ranks, held against what the engines chose themselves."""

from dataclasses import replace
from typing import Any

import pytest

from tests.fit.measured import MIB, model, read
from xgen_deploy.fit.forecast import forecast
from xgen_deploy.fit.layers import host_experts, most_layers
from xgen_deploy.fit.paged_cache import Layers, longest_request, paged_cache
from xgen_deploy.fit.ranks import Network
from xgen_deploy.fit.settings import ALL, Device, Settings
from xgen_deploy.state.forecast import Forecast

CHOICES = read("choices")


def _settings(case: dict[str, Any]) -> Settings:
    devices = tuple(Device(name=f"CUDA{i}") for i in range(len(case["free"])))
    kind = case.get("kv", "f16")
    return Settings(context=case["ctx"], key_type=kind, value_type=kind, devices=devices)


def _free(case: dict[str, Any]) -> list[int]:
    return [(room - case["margin"]) * MIB for room in case["free"]]


@pytest.mark.parametrize("case", CHOICES["layers"], ids=lambda c: f"{c['model']}-{c['free']}")
def test_as_many_layers_as_the_engine_itself_finds_room_for(case: dict[str, Any]) -> None:
    choice = most_layers(_settings(case), model(case["model"]), _free(case))
    counts = case.get("reference_counts")
    assert choice is not None
    assert choice.layers == (counts[0] if counts else case["reference"])
    rooms = zip(choice.forecast.devices, _free(case), strict=True)
    assert all(need.total <= room for need, room in rooms)


@pytest.mark.parametrize("case", CHOICES["experts"], ids=lambda c: str(c["free"]))
def test_no_more_experts_on_the_host_than_needed(case: dict[str, Any]) -> None:
    """Those of one block fewer there are too many for the GPU."""
    fewest = case["reference_n_cpu_moe"]
    assert _with_host_experts(case, fewest).fits(_free(case))
    assert not _with_host_experts(case, fewest - 1).fits(_free(case))


def _with_host_experts(case: dict[str, Any], blocks: int) -> Forecast:
    settings, patterns = _settings(case), (host_experts(blocks),) if blocks else ()
    whole = replace(settings, layers=ALL, overrides=(*settings.overrides, *patterns))
    return forecast(whole, model(case["model"]))


def test_nothing_fits_where_there_is_no_room() -> None:
    settings = Settings(context=8192, devices=(Device(name="CUDA0"),))
    assert most_layers(settings, model("llama3-8b"), [10 * MIB]) is None


@pytest.mark.parametrize("case", CHOICES["pages"], ids=lambda c: f"{c['model']}-{c['tp']}")
def test_pages_are_the_planner_s(case: dict[str, Any]) -> None:
    layers = Layers(
        count=case["L"],
        kv_heads=case["kv"],
        head_size=case["hd"],
        element=2 if case["kv_dtype"] == "bf16" else 1,
        sliding=case["n_swa"],
        window=case["swa"],
        latent=case["mla"],
        ranks=case["tp"],
    )
    asked = {
        "length": case["max_model_len"],
        "batch": case["max_num_batched_tokens"],
        "block": case["block_size"],
        "available": case["available"],
        "ahead": case["concurrent_batches"],
    }
    cache, planner = paged_cache(layers, **asked), case["planner"]
    assert (cache.blocks, cache.request_bytes) == (planner["num_blocks"], planner["need_bytes"])
    assert (cache.request_bytes <= case["available"]) == planner["fits"]
    assert cache.concurrency == pytest.approx(planner["max_concurrency"], abs=0.001)
    assert longest_request(layers, **asked) == planner["est_max_model_len"]


@pytest.mark.parametrize("case", CHOICES["ranks"], ids=lambda c: f"{c['model']}-{c['tp']}")
def test_a_rank_has_these_weights(case: dict[str, Any]) -> None:
    config = case["config"]
    network = Network(
        width=config["hidden_size"],
        inner=config["intermediate_size"],
        layers=config["num_hidden_layers"],
        heads=config["num_attention_heads"],
        kv_heads=config["num_key_value_heads"],
        head_size=config["head_dim"],
        vocabulary=config["vocab_size"],
        tied=config["tie_word_embeddings"],
        positions=config["max_position_embeddings"],
        experts=config.get("num_experts", 0),
        expert_inner=config.get("moe_intermediate_size", 0),
        head_norms="qwen3" in config["model_type"],
    )
    assert network.rank_bytes(case["tp"]) == case["bytes"]
