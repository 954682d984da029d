"""What the probe tells of a model's tensors is enough to know what each GPU will have of them."""

import json
import struct
from pathlib import Path
from typing import Any

import pytest

from xgen_deploy.probe.remote.hf_model import hf_model
from xgen_deploy.state.facts import WeightFacts

LAYER = {
    "self_attn.q_proj.weight": 64,
    "self_attn.k_proj.weight": 16,
    "self_attn.v_proj.weight": 16,
    "self_attn.o_proj.weight": 64,
    "self_attn.o_proj.bias": 8,
    "mlp.gate.weight": 4,
    "mlp.shared_experts.up_proj.weight": 32,
    "input_layernorm.weight": 8,
}


def header(tensors: dict[str, int], *, form: str = "BF16", spaces: bool = False) -> bytes:
    entries: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name, size in tensors.items():
        offsets = [end, end + size]
        entries[name] = {"dtype": form, "shape": [size // 2], "data_offsets": offsets}
        end += size
    return json.dumps(entries, separators=None if spaces else (",", ":")).encode()


def shard(folder: Path, name: str, content: bytes, data: int) -> None:
    with (folder / name).open("wb") as file:
        file.write(struct.pack("<Q", len(content)) + content)
        file.truncate(file.tell() + data)


def look(folder: Path) -> WeightFacts | None:
    (folder / "config.json").write_text('{"model_type": "llama"}')
    facts = hf_model(str(folder))
    assert facts["error"] is None
    told = facts["weights"]
    return WeightFacts.model_validate(told) if told else None


@pytest.mark.parametrize("spaces", [False, True])
def test_sizes_are_summed_by_what_tensors_are(tmp_path: Path, spaces: bool) -> None:
    first = {"model.embed_tokens.weight": 1000, "lm_head.weight": 1000, "model.norm.weight": 8}
    second: dict[str, int] = {}
    for layer in range(3):
        second |= {f"model.layers.{layer}.{name}": size for name, size in LAYER.items()}
        for expert in range(4 if layer else 0):
            second[f"model.layers.{layer}.mlp.experts.{expert}.up_proj.weight"] = 32
    second["visual.blocks.0.attn.qkv.weight"] = 70
    for name, tensors in (("a.safetensors", first), ("b.safetensors", second)):
        shard(tmp_path, name, header(tensors, spaces=spaces), sum(tensors.values()))
    weights = look(tmp_path)
    assert weights is not None
    assert weights.whole == {
        "embedding": 1000,
        "head": 1000,
        "whole": 8,
        "vision": 70,
        "experts": 2 * 4 * 32,
    }
    assert weights.kinds == ({"attention": 128, "kv": 32, "whole": 16, "router": 4, "mlp": 32},)
    assert weights.layers == (0, 0, 0)


ODD = [
    b'{"a":{"dtype":"BF16","shape":[1],"data_offsets":[8,2]}}',
    b'{"a":{"shape":[1],"data_offsets":[0,8]}}',
    b'{"a":{"dtype":"BF16","shape":[1],"data_offsets":[4,8]}}',
    b'{"model.layers.9999.a":{"dtype":"BF16","shape":[1],"data_offsets":[0,8]}}',
    b"{}",
]


@pytest.mark.parametrize("content", ODD)
def test_of_an_odd_header_nothing_is_told(tmp_path: Path, content: bytes) -> None:
    shard(tmp_path, "a.safetensors", content, 8)
    assert look(tmp_path) is None


def test_a_large_model_is_told_in_a_few_kilobytes(tmp_path: Path) -> None:
    tensors = {
        f"model.layers.{layer}.{name}": size for layer in range(126) for name, size in LAYER.items()
    }
    shard(tmp_path, "a.safetensors", header(tensors), sum(tensors.values()))
    weights = look(tmp_path)
    assert weights is not None
    assert len(weights.model_dump_json()) < 2000
