"""A language model of a few hundred kilobytes with random weights, which llama-server serves."""

from __future__ import annotations

import random
from array import array
from pathlib import Path

from tests.lab import gguf_file
from tests.lab.gguf_file import Tensor, Value

BLOCKS = 4
LAYERS = BLOCKS + 1  # as engines count: the blocks and the output
CONTEXT = 2048
_WIDTH, _HEADS, _INNER = 64, 2, 128
# Of the SentencePiece kind: three control tokens, every byte, and the space.
_TOKENS = ["<unk>", "<s>", "</s>", *(f"<0x{n:02X}>" for n in range(256)), "\u2581"]
_KINDS = [2, 3, 3, *[6] * 256, 1]


def write(path: Path) -> None:
    """Llama's architecture; the same weights every time."""
    gguf_file.write(path, _keys(), _tensors(random.Random(1)))


def _keys() -> dict[str, Value]:
    return {
        "general.architecture": "llama",
        "general.name": "Tiny",
        "general.file_type": 0,
        "llama.block_count": BLOCKS,
        "llama.context_length": CONTEXT,
        "llama.embedding_length": _WIDTH,
        "llama.feed_forward_length": _INNER,
        "llama.attention.head_count": _HEADS,
        "llama.attention.layer_norm_rms_epsilon": 1e-5,
        "llama.rope.dimension_count": _WIDTH // _HEADS,
        "tokenizer.ggml.model": "llama",
        "tokenizer.ggml.tokens": _TOKENS,
        "tokenizer.ggml.scores": [0.0] * len(_TOKENS),
        "tokenizer.ggml.token_type": _KINDS,
        "tokenizer.ggml.unknown_token_id": 0,
        "tokenizer.ggml.bos_token_id": 1,
        "tokenizer.ggml.eos_token_id": 2,
    }


def _tensors(chance: random.Random) -> list[Tensor]:
    def weights(name: str, *shape: int) -> Tensor:
        count = shape[0] * (shape[1] if len(shape) == 2 else 1)
        values = (
            (chance.uniform(-0.1, 0.1) for _ in range(count))
            if len(shape) == 2
            else (1.0 for _ in range(count))
        )
        return Tensor(f"{name}.weight", shape, array("f", values).tobytes())

    found = [weights("token_embd", _WIDTH, len(_TOKENS)), weights("output_norm", _WIDTH)]
    found.append(weights("output", _WIDTH, len(_TOKENS)))
    for block in range(BLOCKS):
        for name in ("attn_norm", "ffn_norm"):
            found.append(weights(f"blk.{block}.{name}", _WIDTH))
        for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
            found.append(weights(f"blk.{block}.{name}", _WIDTH, _WIDTH))
        for name in ("ffn_gate", "ffn_up"):
            found.append(weights(f"blk.{block}.{name}", _WIDTH, _INNER))
        found.append(weights(f"blk.{block}.ffn_down", _INNER, _WIDTH))
    return found
