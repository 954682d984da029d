"""What a plan needs of the JSON files in a model folder."""

from __future__ import annotations

import os
from typing import Any

from xgen_deploy.bounded_json import read_json
from xgen_deploy.probe.remote.reading import read_text

KEPT = (
    "architectures",
    "model_type",
    "num_attention_heads",
    "num_key_value_heads",
    "num_hidden_layers",
    "max_position_embeddings",
    "rope_scaling",
    "rope_parameters",
    "hidden_size",
    "head_dim",
    "torch_dtype",
    "dtype",
    "vocab_size",
    "intermediate_size",
    "tie_word_embeddings",
    "layer_types",
    "sliding_window",
    "sliding_window_pattern",
    "use_sliding_window",
    "attention_bias",
    "num_experts",
    "num_local_experts",
    "n_routed_experts",
    "moe_intermediate_size",
    "kv_lora_rank",
    "qk_rope_head_dim",
)
VISION = ("num_heads", "num_attention_heads", "hidden_size")
ADAPTER = ("peft_type", "r", "base_model_name_or_path")
MISTRAL = {
    "n_heads": "num_attention_heads",
    "n_kv_heads": "num_key_value_heads",
    "n_layers": "num_hidden_layers",
    "dim": "hidden_size",
    "head_dim": "head_dim",
    "max_position_embeddings": "max_position_embeddings",
}
LIMIT = 4 << 20
INDEX_LIMIT = 64 << 20
# Where older tools wrote how they quantised; they do not all say by which method.
BESIDE = ("quantize_config.json", "quant_config.json", "quantization_config.json")


def read_config(path: str, limit: int = LIMIT) -> dict[str, Any] | None:
    """None where it is no JSON object."""
    try:
        value = read_json(read_text(path, limit + 1) or "", limit)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def essentials(config: dict[str, Any], folder: str) -> dict[str, Any]:
    """Of a config.json; how the weights are quantised may be in another file of its folder."""
    kept = _kept(config)
    if "quantization_config" not in kept:
        method = _quantised_beside(config, folder)
        if method is not None:
            kept["quantization_config"] = method
    return kept


def mistral_essentials(params: dict[str, Any]) -> dict[str, Any]:
    """Of a params.json, by the names that a config.json has."""
    kept = {name: params[key] for key, name in MISTRAL.items() if params.get(key) is not None}
    if params.get("quantization") is not None:
        kept["quantization_config"] = {"quant_method": None}
    return kept


def adapter_essentials(config: dict[str, Any]) -> dict[str, Any]:
    return {key: config[key] for key in ADAPTER if key in config}


def _kept(config: dict[str, Any]) -> dict[str, Any]:
    kept = {key: config[key] for key in KEPT if config.get(key) is not None}
    quantization = config.get("quantization_config")
    if isinstance(quantization, dict):
        kept["quantization_config"] = {"quant_method": _method(quantization)}
        if isinstance(quantization.get("bits"), int):
            kept["quantization_config"]["bits"] = quantization["bits"]
    if isinstance(config.get("text_config"), dict):
        kept["text_config"] = _kept(config["text_config"])
    vision = config.get("vision_config")
    if isinstance(vision, dict):
        kept["vision_config"] = {k: vision[k] for k in VISION if isinstance(vision.get(k), int)}
    return kept


def _method(quantization: dict[str, Any]) -> Any:
    """MLX names none."""
    method = quantization.get("quant_method")
    is_mlx = method is None and {"bits", "group_size"} <= set(quantization)
    return "mlx" if is_mlx else method


def _quantised_beside(config: dict[str, Any], folder: str) -> dict[str, Any] | None:
    if isinstance(config.get("compression_config"), dict):
        return {"quant_method": "compressed-tensors"}
    if isinstance(config.get("quantization"), dict):
        return {"quant_method": _method(config["quantization"])}
    if os.path.exists(os.path.join(folder, "hf_quant_config.json")):
        return {"quant_method": "modelopt"}
    if any(os.path.exists(os.path.join(folder, name)) for name in BESIDE):
        return {"quant_method": None}
    return None
