"""A writer of GGUF files: llama.cpp's model format, version 3."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

F32 = 0
_ALIGNMENT = 32
_STRING, _ARRAY = 8, 9
_SCALARS = {bool: (7, "<?"), int: (4, "<I"), float: (6, "<f")}

Scalar = bool | int | float | str
Value = Scalar | list[str] | list[int] | list[float]


@dataclass(frozen=True)
class Tensor:
    """`shape` with the fastest dimension first, as GGUF has it; `data` as little-endian F32."""

    name: str
    shape: tuple[int, ...]
    data: bytes


def write(path: Path, keys: Mapping[str, Value], tensors: Iterable[Tensor]) -> None:
    """Whole numbers become uint32, in a list int32."""
    listed = list(tensors)
    with path.open("wb") as out:
        out.write(b"GGUF" + struct.pack("<IQQ", 3, len(listed), len(keys)))
        for name, value in keys.items():
            out.write(_text(name) + _value(value))
        offset = 0
        for tensor in listed:
            dimensions = struct.pack(f"<I{len(tensor.shape)}Q", len(tensor.shape), *tensor.shape)
            out.write(_text(tensor.name) + dimensions + struct.pack("<IQ", F32, offset))
            offset += _padded(len(tensor.data))
        _pad(out)
        for tensor in listed:
            out.write(tensor.data)
            _pad(out)


def _value(value: Value) -> bytes:
    if isinstance(value, list):
        kind = {str: _STRING, int: 5, float: 6}[type(value[0])]
        head = struct.pack("<IIQ", _ARRAY, kind, len(value))
        if kind == _STRING:
            return head + b"".join(_text(str(item)) for item in value)
        return head + struct.pack(f"<{len(value)}{'i' if kind == 5 else 'f'}", *value)
    if isinstance(value, str):
        return struct.pack("<I", _STRING) + _text(value)
    kind, form = _SCALARS[type(value)]
    return struct.pack("<I", kind) + struct.pack(form, value)


def _text(value: str) -> bytes:
    return struct.pack("<Q", len(value.encode())) + value.encode()


def _padded(size: int) -> int:
    return -(-size // _ALIGNMENT) * _ALIGNMENT


def _pad(out: BinaryIO) -> None:
    out.write(bytes(-out.tell() % _ALIGNMENT))
