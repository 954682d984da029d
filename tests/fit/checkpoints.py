"""Checkpoints as their headers would say, made of a model's configuration."""

from collections.abc import Iterator
from typing import Any

from xgen_deploy.probe.remote.safetensors import Tensors
from xgen_deploy.state.facts import WeightFacts

LLAMA_70B: dict[str, Any] = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": 8192,
    "intermediate_size": 28672,
    "num_hidden_layers": 80,
    "num_attention_heads": 64,
    "num_key_value_heads": 8,
    "head_dim": 128,
    "vocab_size": 128256,
    "max_position_embeddings": 131072,
    "tie_word_embeddings": False,
}


def weight_facts(config: dict[str, Any], bits: int = 16) -> WeightFacts:
    """Of less than 16 bits as AWQ stores them: linear layers in groups of 128, each with a scale
    and a zero."""
    tensors = Tensors()
    for name, rows, columns in _tensors(config):
        linear = "proj" in name and not name.endswith("bias")
        if ".experts." in name:
            size = _size(rows, columns, bits)
            tensors.whole["experts"] = tensors.whole.get("experts", 0) + size
        elif linear and bits < 16:
            tensors.add(name.replace("weight", "qweight"), "I32", rows * columns * bits // 8)
            tensors.add(name.replace("weight", "scales"), "F16", rows * columns // 128 * 2)
            tensors.add(name.replace("weight", "qzeros"), "I32", rows * columns // 128 * bits // 8)
        else:
            tensors.add(name, "BF16", rows * columns * 2)
    return WeightFacts.model_validate(tensors.facts())


def _size(rows: int, columns: int, bits: int) -> int:
    numbers = rows * columns
    groups = numbers // 128 if bits < 16 else 0
    return numbers * bits // 8 + groups * 2 + groups * bits // 8


def _tensors(config: dict[str, Any]) -> Iterator[tuple[str, int, int]]:
    width, words = config["hidden_size"], config["vocab_size"]
    yield "model.embed_tokens.weight", words, width
    if not config["tie_word_embeddings"]:
        yield "lm_head.weight", words, width
    yield "model.norm.weight", 1, width
    for layer in range(config["num_hidden_layers"]):
        for name, rows, columns in _layer(config):
            yield f"model.layers.{layer}.{name}", rows, columns


def _layer(config: dict[str, Any]) -> Iterator[tuple[str, int, int]]:
    width, size = config["hidden_size"], config["head_dim"]
    queries = config["num_attention_heads"] * size
    keys = config["num_key_value_heads"] * size
    yield "self_attn.q_proj.weight", queries, width
    yield "self_attn.k_proj.weight", keys, width
    yield "self_attn.v_proj.weight", keys, width
    yield "self_attn.o_proj.weight", width, queries
    if config["model_type"] == "qwen2":
        yield "self_attn.q_proj.bias", 1, queries
        yield "self_attn.k_proj.bias", 1, keys
        yield "self_attn.v_proj.bias", 1, keys
    if "qwen3" in config["model_type"]:
        yield "self_attn.q_norm.weight", 1, size
        yield "self_attn.k_norm.weight", 1, size
    yield "input_layernorm.weight", 1, width
    yield "post_attention_layernorm.weight", 1, width
    experts = config.get("num_experts", 0)
    inner = config["moe_intermediate_size"] if experts else config["intermediate_size"]
    places = [f"mlp.experts.{n}" for n in range(experts)] or ["mlp"]
    if experts:
        yield "mlp.gate.weight", experts, width
    for place in places:
        yield f"{place}.gate_proj.weight", inner, width
        yield f"{place}.up_proj.weight", inner, width
        yield f"{place}.down_proj.weight", width, inner
