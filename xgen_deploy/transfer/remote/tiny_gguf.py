"""A language model of one block and random weights, to see whether an engine can load and compute
at all on this processor.
"""

from __future__ import annotations

import random
import struct
from typing import Any

WIDTH, INNER, HEADS, CONTEXT = 64, 128, 2, 512
# Every byte, so that any text can be put into tokens.
TOKENS = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), "\u2581"]
KINDS = [2, 3, 3, *[6] * 256, 1]
# What it says: a server passes on no text that is not UTF-8.
LETTERS = range(TOKENS.index("<0x61>"), TOKENS.index("<0x7A>") + 1)
ALIGNMENT = 32
F32, Q8_0 = 0, 8


def tiny_gguf() -> bytes:
    """As a GGUF file; matrices in Q8_0, whose kernels use what a processor has."""
    tensors = _tensors(random.Random(1))  # noqa: S311 - weights
    keys = _keys()
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(keys))
    head += b"".join(_text(name) + _value(value) for name, value in keys)
    data = b""
    for name, shape, kind, content in tensors:
        head += _text(name) + struct.pack(f"<I{len(shape)}Q", len(shape), *shape)
        head += struct.pack("<IQ", kind, len(data))
        data += _padded(content)
    return _padded(head) + data


def _keys() -> list[tuple[str, Any]]:
    return [
        ("general.architecture", "llama"),
        ("general.name", "trial"),
        ("llama.block_count", 1),
        ("llama.context_length", CONTEXT),
        ("llama.embedding_length", WIDTH),
        ("llama.feed_forward_length", INNER),
        ("llama.attention.head_count", HEADS),
        ("llama.attention.layer_norm_rms_epsilon", 1e-5),
        ("llama.rope.dimension_count", WIDTH // HEADS),
        ("tokenizer.ggml.model", "llama"),
        ("tokenizer.ggml.tokens", TOKENS),
        ("tokenizer.ggml.scores", [0.0] * len(TOKENS)),
        ("tokenizer.ggml.token_type", KINDS),
        ("tokenizer.ggml.unknown_token_id", 0),
        ("tokenizer.ggml.bos_token_id", 1),
        ("tokenizer.ggml.eos_token_id", 2),
    ]


def _tensors(chance: random.Random) -> list[tuple[str, tuple[int, ...], int, bytes]]:
    def block(row: int, among: range) -> bytes:
        values = [chance.randint(-127, 127) if row in among else 0 for _ in range(32)]
        return struct.pack("<e32b", 0.001, *values)

    def matrix(
        name: str, columns: int, rows: int, among: range = range(1 << 10)
    ) -> tuple[str, tuple[int, ...], int, bytes]:
        blocks = (block(at * 32 // columns, among) for at in range(columns * rows // 32))
        return f"{name}.weight", (columns, rows), Q8_0, b"".join(blocks)

    def norm(name: str) -> tuple[str, tuple[int, ...], int, bytes]:
        return f"{name}.weight", (WIDTH,), F32, struct.pack(f"<{WIDTH}f", *[1.0] * WIDTH)

    words = len(TOKENS)
    outside = [matrix("token_embd", WIDTH, words), norm("output_norm")]
    inside = [norm("blk.0.attn_norm"), norm("blk.0.ffn_norm")]
    inside += [matrix(f"blk.0.attn_{part}", WIDTH, WIDTH) for part in ("q", "k", "v", "output")]
    inside += [matrix(f"blk.0.ffn_{part}", WIDTH, INNER) for part in ("gate", "up")]
    return [
        *outside,
        matrix("output", WIDTH, words, LETTERS),
        *inside,
        matrix("blk.0.ffn_down", INNER, WIDTH),
    ]


def _value(value: Any) -> bytes:
    if isinstance(value, str):
        return struct.pack("<I", 8) + _text(value)
    if isinstance(value, int):
        return struct.pack("<II", 4, value)
    if isinstance(value, float):
        return struct.pack("<If", 6, value)
    if isinstance(value[0], str):
        return struct.pack("<IIQ", 9, 8, len(value)) + b"".join(map(_text, value))
    kind, form = (5, "i") if isinstance(value[0], int) else (6, "f")
    return struct.pack(f"<IIQ{len(value)}{form}", 9, kind, len(value), *value)


def _text(value: str) -> bytes:
    return struct.pack("<Q", len(value.encode())) + value.encode()


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % ALIGNMENT)
