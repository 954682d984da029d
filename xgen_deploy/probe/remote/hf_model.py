"""A model folder as Hugging Face's libraries write it."""

from __future__ import annotations

import os
from typing import Any

from xgen_deploy.probe.remote.content_state import content_state, damage
from xgen_deploy.probe.remote.files import file_state
from xgen_deploy.probe.remote.hf_config import (
    INDEX_LIMIT,
    adapter_essentials,
    essentials,
    mistral_essentials,
    read_config,
)
from xgen_deploy.probe.remote.safetensors import Tensors, read_tensors

INDEX = "model.safetensors.index.json"
LONGEST_HEADER = 100_000_000  # safetensors, `Format`
MOST_FILES = 10_000
MISTRAL_INDEX = "consolidated.safetensors.index.json"
WEIGHTS = (".safetensors", ".bin", ".pt", ".pth")
# What other programs load.
FOREIGN = {
    ".onnx": "for ONNX",
    ".h5": "for TensorFlow",
    ".msgpack": "for Flax",
    ".engine": "for TensorRT",
    ".nemo": "for NeMo",
    ".tflite": "for TensorFlow Lite",
}


def hf_model(folder: str) -> dict[str, Any]:
    """Raises OSError."""
    paths = [p for p in _files(folder) if os.path.exists(p)]
    answer = _whole(folder, paths)
    if answer.get("missing"):
        return answer
    config = read_config(os.path.join(folder, "config.json"))
    if config is None:
        return dict(answer, error="its config.json is not valid JSON")
    tensors = Tensors()
    problem = _incomplete(folder, paths, INDEX, tensors)
    whole = dict(answer, config=essentials(config, folder), error=problem)
    return whole if problem else dict(whole, weights=tensors.facts())


def mistral_model(folder: str) -> dict[str, Any]:
    """A folder as Mistral itself writes it. Raises OSError."""
    paths = [p for p in _files(folder) if os.path.exists(p)]
    answer = dict(_whole(folder, paths), config_format="mistral")
    if answer.get("missing"):
        return answer
    params = read_config(os.path.join(folder, "params.json"))
    if params is None:
        return dict(answer, error="its params.json is not valid JSON")
    tensors = Tensors()
    problem = _incomplete(folder, paths, MISTRAL_INDEX, tensors)
    whole = dict(answer, config=mistral_essentials(params), error=problem)
    return whole if problem else dict(whole, weights=tensors.facts())


def hf_adapter(folder: str) -> dict[str, Any]:
    """A LoRA adapter as the library PEFT writes it. Raises OSError."""
    paths = [p for p in _files(folder) if os.path.exists(p)]
    answer = _whole(folder, paths)
    if answer.get("missing"):
        return answer
    config = read_config(os.path.join(folder, "adapter_config.json"))
    if config is None:
        return dict(answer, error="its adapter_config.json is not valid JSON")
    if not any(path.endswith(WEIGHTS) for path in paths):
        return dict(answer, error="has an adapter_config.json but no weights")
    return dict(answer, config=adapter_essentials(config))


def _whole(folder: str, paths: list[str]) -> dict[str, Any]:
    return {
        "path": folder,
        "format": "hf",
        "size": sum(os.path.getsize(path) for path in paths),
        "state": content_state(paths) or file_state(paths),
        **damage(paths),
    }


def _files(folder: str) -> list[str]:
    paths: list[str] = []
    for place, _, names in os.walk(folder, followlinks=False):
        paths.extend(os.path.join(place, name) for name in names)
        if len(paths) > MOST_FILES:
            raise ValueError(f"it holds more than {MOST_FILES} files")
    return sorted(paths)


def _incomplete(folder: str, paths: list[str], index_name: str, tensors: Tensors) -> str | None:
    """Why the weights are not whole, as far as names and sizes tell; adds their `tensors`."""
    for path in _files(folder):
        if path.endswith(WEIGHTS) and not os.path.exists(path):
            name = os.path.relpath(path, folder)
            return f"{name} is a link to {os.path.realpath(path)}, which is not there"
    names = {os.path.relpath(path, folder) for path in paths}
    index = None
    if index_name in names:
        index = read_config(os.path.join(folder, index_name), INDEX_LIMIT)
    if index is not None:
        missing = sorted(set((index.get("weight_map") or {}).values()) - names)
        if missing:
            return f"{len(missing)} of its weight files are missing: {missing[0]}"
    elif not any(name.endswith(WEIGHTS) for name in names):
        return _no_weights(names)
    for path in paths:
        if path.endswith(".safetensors"):
            problem = _cut_short(path, tensors)
            if problem:
                return f"{os.path.basename(path)}: {problem}"
    return None


def _no_weights(names: set[str]) -> str:
    for suffix, program in FOREIGN.items():
        if any(name.endswith(suffix) for name in names):
            return f"its weights are {program}, which no engine here loads"
    return "has a config.json but no weights"


def _cut_short(path: str, tensors: Tensors) -> str | None:
    """A safetensors file begins with its header's length and the header, which tells its size, and
    the sizes of its `tensors`."""
    size = os.path.getsize(path)
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if 8 + length > size:
            return f"cut short: has {size} bytes, its header alone needs {8 + length}"
        if length > LONGEST_HEADER:
            return f"not a valid safetensors file: its header of {length} bytes is over 100 MB"
        if file.read(1) != b"{":
            return "not a valid safetensors file"
        end = read_tensors(file, length - 1, size - 8 - length, tensors)
    needed = 8 + length + end
    if size < needed:
        return f"cut short: has {size} bytes, needs at least {needed}"
    return None
