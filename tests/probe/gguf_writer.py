"""A tiny writer of GGUF files for the tests."""

import struct
from pathlib import Path

F32, Q4_K = 0, 12
Keys = dict[str, str | int | list[str]]
KEYS: Keys = {
    "general.architecture": "gemma3",
    "general.name": "Tiny",
    "general.file_type": 15,
    "gemma3.block_count": 18,
    "gemma3.context_length": 32768,
    "gemma3.embedding_length": 640,
    "gemma3.attention.head_count": 4,
    "tokenizer.ggml.tokens": [f"token {n}" for n in range(50_000)],
}


def text(value: str) -> bytes:
    return struct.pack("<Q", len(value.encode())) + value.encode()


def entry(name: str, value: str | int | list[str]) -> bytes:
    if isinstance(value, int):
        return text(name) + struct.pack("<II", 4, value)
    if isinstance(value, str):
        return text(name) + struct.pack("<I", 8) + text(value)
    return text(name) + struct.pack("<IIQ", 9, 8, len(value)) + b"".join(map(text, value))


def gguf(
    keys: Keys | None = None,
    *,
    version: int = 3,
    tensors: tuple[tuple[int, int], ...] = ((F32, 8), (Q4_K, 512)),
    claimed_keys: int | None = None,
    claimed_tensors: int | None = None,
) -> bytes:
    """A whole file; each tensor is (type, elements), and data is aligned to 32 bytes."""
    keys = KEYS if keys is None else keys
    sizes = {F32: (1, 4), Q4_K: (256, 144)}
    counts = (
        len(tensors) if claimed_tensors is None else claimed_tensors,
        len(keys) if claimed_keys is None else claimed_keys,
    )
    out = b"GGUF" + struct.pack("<IQQ", version, *counts)
    out += b"".join(entry(name, value) for name, value in keys.items())
    offset = 0
    for number, (kind, elements) in enumerate(tensors):
        out += text(f"blk.{number}") + struct.pack("<IQIQ", 1, elements, kind, offset)
        per, size = sizes[kind]
        offset += -(-(elements // per * size) // 32) * 32
    return out + bytes(-len(out) % 32) + bytes(offset)


def write(path: Path, data: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path
