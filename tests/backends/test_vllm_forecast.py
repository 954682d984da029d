"""Whether vLLM starts with what it is given, and how much it holds: before it is started."""

from typing import Any

import pytest

from tests.fit.checkpoints import LLAMA_70B, weight_facts
from tests.fit.measured import read
from xgen_deploy.backends.registry import backend_named
from xgen_deploy.frozen import replace
from xgen_deploy.state.facts import ModelFacts
from xgen_deploy.state.forecast import Forecast
from xgen_deploy.state.gpu import GPUInfo, GPUType
from xgen_deploy.state.instance import Engine, Spec
from xgen_deploy.state.settings import VllmSettings

RANKS = read("choices")["ranks"]
GIB = 1 << 30
AWQ = {"quantization_config": {"quant_method": "awq"}}


def cards(count: int, gib: int = 80, name: str = "NVIDIA H100") -> tuple[GPUInfo, ...]:
    kind = GPUType.NVIDIA
    return tuple(
        GPUInfo(
            index=n, gpu_type=kind, device_name=name, uuid=f"GPU-{n}", memory_total_mb=gib * 1024
        )
        for n in range(count)
    )


def told(
    config: dict[str, Any],
    gpus: tuple[GPUInfo, ...],
    *,
    n_ctx: int = 8192,
    bits: int = 16,
    seen: bool = True,
    **settings: Any,
) -> Forecast:
    weights = weight_facts(config, bits) if seen else None
    model = ModelFacts(key="m", config=config, weights=weights)
    forecast = of(model, gpus, n_ctx=n_ctx, **settings)
    assert forecast is not None
    return forecast


def of(
    model: ModelFacts, gpus: tuple[GPUInfo, ...], *, n_ctx: int = 8192, **settings: Any
) -> Forecast | None:
    spec = Spec(
        model="m",
        backend="vllm-cuda",
        runtime="docker",
        source="/m",
        model_path="/m",
        port=8001,
        n_ctx=n_ctx,
        gpus=tuple(g.identity for g in gpus),
        vllm=VllmSettings(**settings),
    )
    backend = backend_named("vllm-cuda")
    assert backend is not None
    return backend.forecast(spec, model, gpus, Engine(backend="vllm-cuda"))


@pytest.mark.parametrize("case", RANKS, ids=lambda c: f"{c['model']}-{c['tp']}")
def test_a_rank_has_the_weights_that_vllm_s_own_construction_has(case: dict[str, Any]) -> None:
    forecast = told(case["config"], cards(case["tp"]))
    assert [need.weights for need in forecast.devices] == [case["bytes"]] * case["tp"]


def test_it_takes_its_share_whatever_the_model_needs() -> None:
    (need,) = told(RANKS[0]["config"], cards(1), gpu_memory_utilization=0.5).devices
    assert need.total == 40 * GIB


def test_its_share_is_of_what_the_driver_does_not_keep_for_itself() -> None:
    """An H100 of 81559 MiB, of which CUDA tells, and vLLM counts, 81079."""
    (card,) = cards(1)
    card = replace(card, memory_total_mb=81559, memory_used_mb=0, memory_free_mb=81079)
    (need,) = told(RANKS[0]["config"], (card,), gpu_memory_utilization=0.5).devices
    assert need.total == 81079 * GIB // 2048


def test_a_stated_cache_is_what_it_takes_beside_the_weights() -> None:
    (need,) = told(RANKS[0]["config"], cards(1), kv_cache_memory_bytes="8G").devices
    assert need.cache == 8 * GIB


def test_stages_of_a_pipeline_have_their_own_layers() -> None:
    one, two = told(LLAMA_70B, cards(2), pipeline_parallel_size=2, tensor_parallel_size=1).devices
    whole = told(LLAMA_70B, cards(2)).devices[0].weights * 2
    assert one.weights + two.weights == pytest.approx(whole, rel=0.001)
    assert one.weights == pytest.approx(two.weights, rel=0.001)


@pytest.mark.parametrize("case", RANKS, ids=lambda c: f"{c['model']}-{c['tp']}")
def test_so_it_has_where_nobody_saw_the_files(case: dict[str, Any]) -> None:
    """As of a model that is still to be brought."""
    forecast = told(case["config"], cards(case["tp"]), seen=False)
    assert [need.weights for need in forecast.devices] == [case["bytes"]] * case["tp"]
    quantised = LLAMA_70B | {"quantization_config": {"quant_method": "awq", "bits": 4}}
    unseen, seen = (told(quantised, cards(2), bits=4, seen=s) for s in (False, True))
    assert unseen.devices == seen.devices


def test_a_quantised_checkpoint_is_as_large_as_its_files() -> None:
    """A 70B in AWQ has 39.8 GB."""
    forecast = told(LLAMA_70B | AWQ, cards(1), bits=4)
    assert forecast.devices[0].weights / 1e9 == pytest.approx(39.8, rel=0.01)
    assert forecast.fails is None


def test_how_much_it_holds() -> None:
    share = told(LLAMA_70B | AWQ, cards(1), bits=4, n_ctx=8192).share
    assert share is not None
    assert share.request == 80 * 2 * 8 * 128 * 2 * 8192
    assert share.concurrency == share.room // (share.request // 512) / 512


FAILS = [
    (
        "weights",
        (LLAMA_70B, cards(1)),
        {},
        "vLLM would not start: its share of GPU 0 is 73.6 GiB of 80.0 GiB, and the weights alone "
        "are 131.4 GiB",
        (),
    ),
    (
        "a request",
        (LLAMA_70B | AWQ, cards(1, 48, "NVIDIA L40S")),
        {"bits": 4, "n_ctx": 65536},
        "vLLM would not start: its share of GPU 0 is 44.2 GiB of 48.0 GiB, the weights are 37.1 "
        "GiB, and the 7.1 GiB that are left hold no request of 65536 tokens, which needs 20.0 GiB",
        ("n_ctx: 19456",),
    ),
    (
        "a small share",
        (LLAMA_70B | AWQ, cards(1)),
        {"bits": 4, "n_ctx": 65536, "gpu_memory_utilization": 0.6},
        "vLLM would not start: its share of GPU 0 is 48.0 GiB of 80.0 GiB, the weights are 37.1 "
        "GiB, and the 10.9 GiB that are left hold no request of 65536 tokens, which needs 20.0 GiB",
        ("vllm: {gpu_memory_utilization: 0.75}", "n_ctx: 25600"),
    ),
    (
        "a small cache",
        (LLAMA_70B | AWQ, cards(1)),
        {"bits": 4, "n_ctx": 32768, "kv_cache_memory_bytes": "8G"},
        "vLLM would not start: a request of 32768 tokens needs 10.0 GiB of its cache on each GPU, "
        "and kv_cache_memory_bytes is 8.0 GiB",
        (
            "vllm: {kv_cache_memory_bytes: 10240M}",
            "n_ctx: 25600",
            "vllm: {kv_cache_dtype: fp8}",
        ),
    ),
]


@pytest.mark.parametrize(("model", "asked", "why", "ways"), [f[1:] for f in FAILS])
def test_why_it_would_not_start_and_what_would(
    model: tuple[dict[str, Any], tuple[GPUInfo, ...]],
    asked: dict[str, Any],
    why: str,
    ways: tuple[str, ...],
) -> None:
    forecast = told(*model, **asked)
    assert (forecast.fails, forecast.ways_out) == (why, ways)


def test_what_is_only_taken_to_be_in_use_is_no_reason() -> None:
    """The same with a little less of a context: weights and cache alone would fit."""
    forecast = told(
        LLAMA_70B | AWQ, cards(1, 48, "NVIDIA L40S"), bits=4, n_ctx=22528, kv_cache_dtype="auto"
    )
    assert forecast.fails is None
    assert any(note.startswith("it may not start") for note in forecast.notes)


def test_of_a_model_of_another_kind_the_weights_are_known_alone() -> None:
    hybrid = LLAMA_70B | {"architectures": ["Qwen3NextForCausalLM"]}
    forecast = told(hybrid, cards(2), n_ctx=131072)
    assert forecast.devices[0].weights > 60 * GIB
    assert (forecast.fails, forecast.share and forecast.share.request) == (None, 0)


ODD: list[dict[str, Any]] = [
    {"num_hidden_layers": 10**9},
    {"num_hidden_layers": -1},
    {"num_hidden_layers": "80"},
    {"layer_types": 7},
    {"layer_types": [["x"]]},
    {"text_config": []},
    {"hidden_size": 1e400},
    {"head_dim": 0, "num_attention_heads": 0},
]


@pytest.mark.parametrize("odd", ODD, ids=str)
def test_an_odd_configuration_is_no_wrong_number(odd: dict[str, Any]) -> None:
    model = ModelFacts(
        key="m", config=LLAMA_70B | odd, weights=weight_facts(LLAMA_70B), size=10**11
    )
    of(model, cards(1))
