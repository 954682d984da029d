"""A model folder as Hugging Face's libraries write it."""

from __future__ import annotations

import json
import os
from typing import Any

from xgen_deploy.probe.remote.files import file_state
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
)
INDEX = "model.safetensors.index.json"
WEIGHTS = (".safetensors", ".bin", ".pt", ".pth")


def hf_model(folder: str) -> dict[str, Any]:
    """Raises OSError."""
    paths = [p for p in _files(folder) if os.path.exists(p)]
    answer = {
        "path": folder,
        "format": "hf",
        "size": sum(os.path.getsize(path) for path in paths),
        "state": file_state(paths),
    }
    config = _json(os.path.join(folder, "config.json"))
    if config is None:
        return dict(answer, error="its config.json is not valid JSON")
    return dict(answer, config=_essentials(config), error=_incomplete(folder, paths))


def _files(folder: str) -> list[str]:
    found: list[str] = []
    for place, _, names in os.walk(folder, followlinks=False):
        found.extend(os.path.join(place, name) for name in names)
    return sorted(found)


def _json(path: str) -> dict[str, Any] | None:
    try:
        value = json.loads(read_text(path, 1 << 26) or "")
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _essentials(config: dict[str, Any]) -> dict[str, Any]:
    kept = {key: config[key] for key in KEPT if config.get(key) is not None}
    quantization = config.get("quantization_config")
    if isinstance(quantization, dict):
        kept["quantization_config"] = {"quant_method": quantization.get("quant_method")}
    if isinstance(config.get("text_config"), dict):
        kept["text_config"] = _essentials(config["text_config"])
    return kept


def _incomplete(folder: str, paths: list[str]) -> str | None:
    """Why the weights are not whole, as far as names and sizes tell."""
    names = {os.path.relpath(path, folder) for path in paths}
    index = _json(os.path.join(folder, INDEX)) if INDEX in names else None
    if index is not None:
        missing = sorted(set((index.get("weight_map") or {}).values()) - names)
        if missing:
            return f"{len(missing)} of its weight files are missing: {missing[0]}"
    elif not any(name.endswith(WEIGHTS) for name in names):
        return "has a config.json but no weights"
    for path in paths:
        if path.endswith(".safetensors"):
            problem = _cut_short(path)
            if problem:
                return f"{os.path.basename(path)}: {problem}"
    return None


def _cut_short(path: str) -> str | None:
    """A safetensors file begins with its header's length and the header, which tells its size."""
    size = os.path.getsize(path)
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if 8 + length > size:
            return f"cut short: has {size} bytes, its header alone needs {8 + length}"
        try:
            header = json.loads(file.read(length).decode("utf-8"))
            ends = [entry["data_offsets"][1] for n, entry in header.items() if n != "__metadata__"]
        except (ValueError, KeyError, TypeError, AttributeError):
            return "not a valid safetensors file"
    needed = 8 + length + max(ends, default=0)
    if size < needed:
        return f"cut short: has {size} bytes, needs at least {needed}"
    return None
