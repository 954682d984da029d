"""GPUs that cannot share a model evenly are refused before vLLM ends at its start."""

from typing import Any

import pytest

from tests.backends.test_vllm_forecast import cards
from tests.fit.checkpoints import LLAMA_70B
from xgen_deploy.backends.registry import backend_named
from xgen_deploy.state.facts import ModelFacts
from xgen_deploy.state.instance_config import InstanceConfig
from xgen_deploy.state.refuse import Refused
from xgen_deploy.state.settings import VllmSettings

QWEN_VL = LLAMA_70B | {
    "architectures": ["Qwen2_5_VLForConditionalGeneration"],
    "vision_config": {"num_heads": 16},
    "num_attention_heads": 28 * 3,
    "num_key_value_heads": 12,
    "vocab_size": 64 * 6 * 100,
    "intermediate_size": 6 * 1024,
}


def refusal(config: dict[str, Any], gpus: int, **settings: Any) -> str | None:
    backend = backend_named("vllm-cuda")
    assert backend is not None
    declared = InstanceConfig(
        host="h", name="m", model="m", source="/m", ports=(1, 9), vllm=VllmSettings(**settings)
    )
    try:
        backend.check(declared, ModelFacts(key="m", config=config), cards(gpus), 4096)
    except Refused as error:
        return f"{error.refusal.reason}; {error.refusal.hint}"
    return None


REFUSED = [
    ({}, 3, "the model has 64 attention heads, which 3 GPUs cannot share evenly; Place the"),
    (
        {"num_attention_heads": 60, "num_key_value_heads": 4},
        6,
        "the model has 4 heads of keys and values, which 6 GPUs",
    ),
    (
        {"num_attention_heads": 60, "num_key_value_heads": 3, "vocab_size": 32000},
        3,
        "the model has a vocabulary of 32000 words, in 32000 rows, which 3 GPUs cannot share "
        "evenly; Place the model on 1 GPU, ",
    ),
    ({"intermediate_size": 18948}, 8, "the model has an inner size of 18948, which 8 GPUs"),
    (QWEN_VL, 6, "the model has 16 attention heads in its vision part, which 6 GPUs"),
]


@pytest.mark.parametrize(("model", "gpus", "said"), REFUSED)
def test_what_is_left_over_is_said(model: dict[str, Any], gpus: int, said: str) -> None:
    assert said in (refusal(LLAMA_70B | model, gpus) or "")


SHARED: list[tuple[dict[str, Any], int, dict[str, Any]]] = [
    ({}, 16, {}),  # each two have the same head of keys and values
    ({"architectures": ["NobodyKnows"], "intermediate_size": 18948}, 8, {}),
    (QWEN_VL, 6, {"extra_args": ("--mm-encoder-tp-mode", "data")}),
    (QWEN_VL, 2, {}),
    ({}, 3, {"pipeline_parallel_size": 3}),
]


@pytest.mark.parametrize(("model", "gpus", "settings"), SHARED)
def test_what_is_not_divided_is_not_refused(
    model: dict[str, Any], gpus: int, settings: dict[str, Any]
) -> None:
    assert refusal(LLAMA_70B | model, gpus, **settings) is None
