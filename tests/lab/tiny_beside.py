"""What can be loaded beside the tiny model: an adapter and a projector, with random weights too."""

from __future__ import annotations

import random
from array import array
from math import prod
from pathlib import Path

from tests.lab import gguf_file, tiny_model
from tests.lab.gguf_file import Tensor, Value

_MODEL = tiny_model.WIDTH
_RANK = 4
_WIDTH, _INNER, _BLOCKS, _PATCH, _IMAGE = 32, 64, 2, 14, 28
_CHANCE = random.Random(2)


def write_adapter(path: Path) -> None:
    """A LoRA of the queries of every block."""
    keys: dict[str, Value] = {
        "general.architecture": "llama",
        "general.type": "adapter",
        "adapter.type": "lora",
        "adapter.lora.alpha": 4.0,
    }
    tensors = []
    for block in range(tiny_model.BLOCKS):
        name = f"blk.{block}.attn_q.weight"
        tensors += [
            _tensor(f"{name}.lora_a", _MODEL, _RANK),
            _tensor(f"{name}.lora_b", _RANK, _MODEL),
        ]
    gguf_file.write(path, keys, tensors)


def write_projector(path: Path) -> None:
    """A small CLIP and two layers that lead to the model's width, as LLaVA has them."""
    keys: dict[str, Value] = {
        "general.architecture": "clip",
        "general.type": "mmproj",
        "general.file_type": 0,
        "clip.has_vision_encoder": True,
        "clip.projector_type": "mlp",
        "clip.vision.image_size": _IMAGE,
        "clip.vision.patch_size": _PATCH,
        "clip.vision.embedding_length": _WIDTH,
        "clip.vision.feed_forward_length": _INNER,
        "clip.vision.projection_dim": _MODEL,
        "clip.vision.block_count": _BLOCKS,
        "clip.vision.attention.head_count": 2,
        "clip.vision.attention.layer_norm_epsilon": 1e-5,
        "clip.vision.image_mean": [0.5, 0.5, 0.5],
        "clip.vision.image_std": [0.5, 0.5, 0.5],
        "clip.use_gelu": True,
    }
    tensors = [
        _tensor("v.patch_embd.weight", _PATCH, _PATCH, 3, _WIDTH),
        _tensor("v.class_embd", _WIDTH),
        _tensor("v.position_embd.weight", _WIDTH, (_IMAGE // _PATCH) ** 2 + 1),
        *_layer("v.pre_ln", _WIDTH),
        *_layer("v.post_ln", _WIDTH),
        *_layer("mm.0", _WIDTH, _MODEL),
        *_layer("mm.2", _MODEL, _MODEL),
    ]
    for block in range(_BLOCKS):
        tensors += _block(f"v.blk.{block}")
    gguf_file.write(path, keys, tensors)


def _block(name: str) -> list[Tensor]:
    found = [*_layer(f"{name}.ln1", _WIDTH), *_layer(f"{name}.ln2", _WIDTH)]
    for part in ("attn_q", "attn_k", "attn_v", "attn_out"):
        found += _layer(f"{name}.{part}", _WIDTH, _WIDTH)
    found += _layer(f"{name}.ffn_up", _WIDTH, _INNER)
    return found + _layer(f"{name}.ffn_down", _INNER, _WIDTH)


def _layer(name: str, *shape: int) -> list[Tensor]:
    """Its weights, and a bias for each that it puts out."""
    return [_tensor(f"{name}.weight", *shape), _tensor(f"{name}.bias", shape[-1])]


def _tensor(name: str, *shape: int) -> Tensor:
    values = [_CHANCE.uniform(-0.1, 0.1) for _ in range(prod(shape))]
    return Tensor(name, shape, array("f", values).tobytes())
