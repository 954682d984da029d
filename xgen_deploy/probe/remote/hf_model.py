"""A model folder as Hugging Face's libraries write it."""

from __future__ import annotations

import os
import re
from typing import Any, BinaryIO

from xgen_deploy.bounded_json import read_json
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
ADAPTER = ("peft_type", "r", "base_model_name_or_path")
INDEX = "model.safetensors.index.json"
LONGEST_CONFIG = 4 << 20
LONGEST_INDEX = 64 << 20
LONGEST_HEADER = 100_000_000  # safetensors, `Format`
MOST_FILES = 10_000
PIECE = 1 << 20
# Within a string its last quote would be escaped.
OFFSETS = re.compile(rb'"data_offsets"\s*:\s*\[\s*\d{1,20}\s*,\s*(\d{1,20})\s*\]')
OVERLAP = 128
WEIGHTS = (".safetensors", ".bin", ".pt", ".pth")


def hf_model(folder: str) -> dict[str, Any]:
    """Raises OSError."""
    paths = [p for p in _files(folder) if os.path.exists(p)]
    answer = _whole(folder, paths)
    config = _json(os.path.join(folder, "config.json"), LONGEST_CONFIG)
    if config is None:
        return dict(answer, error="its config.json is not valid JSON")
    return dict(answer, config=_essentials(config), error=_incomplete(folder, paths))


def hf_adapter(folder: str) -> dict[str, Any]:
    """A LoRA adapter as the library PEFT writes it. Raises OSError."""
    paths = [p for p in _files(folder) if os.path.exists(p)]
    answer = _whole(folder, paths)
    config = _json(os.path.join(folder, "adapter_config.json"), LONGEST_CONFIG)
    if config is None:
        return dict(answer, error="its adapter_config.json is not valid JSON")
    if not any(path.endswith(WEIGHTS) for path in paths):
        return dict(answer, error="has an adapter_config.json but no weights")
    return dict(answer, config={key: config[key] for key in ADAPTER if key in config})


def _whole(folder: str, paths: list[str]) -> dict[str, Any]:
    return {
        "path": folder,
        "format": "hf",
        "size": sum(os.path.getsize(path) for path in paths),
        "state": file_state(paths),
    }


def _files(folder: str) -> list[str]:
    paths: list[str] = []
    for place, _, names in os.walk(folder, followlinks=False):
        paths.extend(os.path.join(place, name) for name in names)
        if len(paths) > MOST_FILES:
            raise ValueError(f"it holds more than {MOST_FILES} files")
    return sorted(paths)


def _json(path: str, limit: int) -> dict[str, Any] | None:
    try:
        value = read_json(read_text(path, limit + 1) or "", limit)
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
    index = _json(os.path.join(folder, INDEX), LONGEST_INDEX) if INDEX in names else None
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
        if length > LONGEST_HEADER:
            return f"not a valid safetensors file: its header of {length} bytes is over 100 MB"
        if file.read(1) != b"{":
            return "not a valid safetensors file"
        end = _last_offset(file, length - 1)
    needed = 8 + length + end
    if size < needed:
        return f"cut short: has {size} bytes, needs at least {needed}"
    return None


def _last_offset(file: BinaryIO, left: int) -> int:
    """Where the last tensor ends, from the header's text piece by piece: a header may be long."""
    end, before = 0, b""
    while left > 0:
        piece = file.read(min(PIECE, left))
        if not piece:
            break
        left -= len(piece)
        text = before + piece
        end = max([end, *(int(match[1]) for match in OFFSETS.finditer(text))])
        before = text[-OVERLAP:]
    return end
