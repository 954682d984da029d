"""A GGUF file that ends after its header, as `fit` takes it."""

import struct
from collections.abc import Mapping, Sequence
from itertools import accumulate
from pathlib import Path

from xgen_deploy.fit.shape import ModelShape

_U32, _F32, _BOOL, _STRING, _ARRAY, _U64 = 4, 6, 7, 8, 9, 10
_ALIGNMENT = 32


def write_header(
    path: Path,
    model: ModelShape,
    general: Mapping[str, object] | None = None,
    offsets: Sequence[int] = (),
) -> Path:
    """`general` are further keys, without the architecture in front."""
    keys: dict[str, object] = {"general.architecture": model.architecture}
    keys |= {f"{model.architecture}.{name}": value for name, value in model.keys.items()}
    keys |= general or {}
    parts = [b"GGUF", struct.pack("<IQQ", 3, len(model.tensors), len(keys))]
    parts += [_text(name) + _value(value) for name, value in keys.items()]
    for tensor, offset in zip(model.tensors, offsets or [0] * len(model.tensors), strict=True):
        parts.append(_text(tensor.name) + struct.pack("<I", len(tensor.dims)))
        parts.append(struct.pack(f"<{len(tensor.dims)}Q", *tensor.dims))
        parts.append(struct.pack("<IQ", tensor.kind, offset))
    path.write_bytes(b"".join(parts))
    return path


def write_hollow(path: Path, model: ModelShape, general: Mapping[str, object]) -> Path:
    """A whole file that takes no room on the disk: all its weights are zero."""
    ends = list(accumulate(_aligned(tensor.bytes) for tensor in model.tensors))
    write_header(path, model, general, [0, *ends[:-1]])
    with path.open("r+b") as file:
        header = file.seek(0, 2)
        file.truncate(_aligned(header) + ends[-1])
    return path


def _aligned(size: int) -> int:
    return -(-size // _ALIGNMENT) * _ALIGNMENT


def _text(value: str) -> bytes:
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def _value(value: object) -> bytes:
    if isinstance(value, list):
        kind = _BOOL if isinstance(value[0], bool) else _U32
        items = [_plain(kind, item) for item in value]
        return struct.pack("<IIQ", _ARRAY, kind, len(items)) + b"".join(items)
    kinds = {bool: _BOOL, int: _U32, float: _F32, str: _STRING}
    kind = kinds[type(value)]
    return struct.pack("<I", kind) + _plain(kind, value)


def _plain(kind: int, value: object) -> bytes:
    if kind == _STRING:
        return _text(str(value))
    return struct.pack({_U32: "<I", _F32: "<f", _BOOL: "<?"}[kind], value)
