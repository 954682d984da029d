"""A language model of two megabytes with random weights, which llama-server serves."""

from __future__ import annotations

import random
import string
from array import array
from pathlib import Path

from tests.lab import gguf_file
from tests.lab.gguf_file import Tensor, Value

BLOCKS = 11
LAYERS = BLOCKS + 1  # as engines count: the blocks and the output
CONTEXT = 2048
WIDTH, _HEADS, _INNER = 64, 2, 128
# Of the SentencePiece kind: control tokens, every byte, and what `Hello` is put together from.
# Each number of tokens at once needs shaders of its own: a prompt of one token needs the fewest.
_PIECES = ["\u2581", "H", "e", "l", "o", "He", "Hel", "Hell", "Hello"]
_USED = ["<unk>", "<s>", "</s>", *(f"<0x{n:02X}>" for n in range(256)), *_PIECES]
# So many words that the output layer is as large as a block: what is split by layers is then
# split by size too.
_WORDS = 640
_TOKENS = [*_USED, *(f"<unused{n}>" for n in range(_WORDS - len(_USED)))]
_KINDS = [2, 3, 3, *[6] * 256, *[1] * len(_PIECES), *[5] * (_WORDS - len(_USED))]


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
        "llama.embedding_length": WIDTH,
        "llama.feed_forward_length": _INNER,
        "llama.attention.head_count": _HEADS,
        "llama.attention.layer_norm_rms_epsilon": 1e-5,
        "llama.rope.dimension_count": WIDTH // _HEADS,
        "tokenizer.ggml.model": "llama",
        "tokenizer.ggml.tokens": _TOKENS,
        "tokenizer.ggml.scores": [float(len(token)) for token in _TOKENS],
        "tokenizer.ggml.token_type": _KINDS,
        "tokenizer.ggml.add_bos_token": False,
        "tokenizer.ggml.add_space_prefix": False,
        "tokenizer.ggml.unknown_token_id": 0,
        "tokenizer.ggml.bos_token_id": 1,
        "tokenizer.ggml.eos_token_id": 2,
    }


def _tensors(chance: random.Random) -> list[Tensor]:
    def weights(name: str, *shape: int) -> Tensor:
        values = [chance.uniform(-0.1, 0.1) for _ in range(shape[0] * shape[1])]
        return Tensor(f"{name}.weight", shape, array("f", values).tobytes())

    def norm(name: str) -> Tensor:
        return Tensor(f"{name}.weight", (WIDTH,), array("f", [1.0] * WIDTH).tobytes())

    found = [weights("token_embd", WIDTH, len(_TOKENS)), norm("output_norm"), _output(chance)]
    for block in range(BLOCKS):
        found += [norm(f"blk.{block}.attn_norm"), norm(f"blk.{block}.ffn_norm")]
        for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
            found.append(weights(f"blk.{block}.{name}", WIDTH, WIDTH))
        found.append(weights(f"blk.{block}.ffn_gate", WIDTH, _INNER))
        found.append(weights(f"blk.{block}.ffn_up", WIDTH, _INNER))
        found.append(weights(f"blk.{block}.ffn_down", _INNER, WIDTH))
    return found


def _output(chance: random.Random) -> Tensor:
    """Small letters only: the server refuses to pass on text that is no UTF-8."""
    letters = {_TOKENS.index(f"<0x{ord(letter):02X}>") for letter in string.ascii_lowercase}
    values = [
        chance.uniform(-2.0, 2.0) if token in letters else 0.0
        for token in range(len(_TOKENS))
        for _ in range(WIDTH)
    ]
    return Tensor("output.weight", (WIDTH, len(_TOKENS)), array("f", values).tobytes())
