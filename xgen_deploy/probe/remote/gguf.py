"""The header of a GGUF file: what the model is, and whether the file is whole."""

from __future__ import annotations

import os
import struct
from typing import Any, BinaryIO, NamedTuple

from xgen_deploy.probe.remote.gguf_cursor import Cursor, NotGGUF
from xgen_deploy.probe.remote.gguf_shape import shape
from xgen_deploy.probe.remote.gguf_types import QUANTIZATION, tensor_bytes

MAGIC = b"GGUF"
VERSIONS = (2, 3)
MOST_KEYS = 1 << 14
MOST_TENSORS = 1 << 20
MOST_DIMENSIONS = 8
MOST_TOLD = 20_000
DEFAULT_ALIGNMENT = 32
# What follows a tensor's name and its number of dimensions: these, its type, where its data begins.
_REST = [struct.Struct(f"<{dimensions}QIQ") for dimensions in range(MOST_DIMENSIONS + 1)]
_TOKENIZER = "tokenizer.ggml.model"


class Header(NamedTuple):
    """`needed` is how many bytes the file must have for all its tensors; `table` has these by name,
    type and dimensions."""

    version: int
    tensors: int
    keys: dict[str, Any]
    needed: int
    table: list[tuple[str, int, tuple[int, ...]]]


def read_header(path: str) -> Header:
    """Raises NotGGUF with the reason, also for a file that was cut short; OSError."""
    header, size = read_header_alone(path), os.path.getsize(path)
    if size < header.needed:
        raise NotGGUF(f"cut short: has {size} bytes, needs at least {header.needed}")
    return header


def read_header_alone(path: str) -> Header:
    """Of a file that need not have its tensors. Raises NotGGUF, OSError."""
    size = os.path.getsize(path)
    with open(path, "rb", buffering=0) as file:
        try:
            return _parse(file, size)
        except EOFError:
            raise NotGGUF(f"cut short: it ends after {size} bytes, inside its header") from None


def _parse(file: BinaryIO, size: int) -> Header:
    cursor = Cursor(file, size)
    if cursor.take(4) != MAGIC:
        raise NotGGUF("not a valid GGUF: it does not begin with `GGUF`")
    version = cursor.scalar("I")
    if version not in VERSIONS:
        raise NotGGUF(f"not a valid GGUF: version {version}; this tool reads 2 and 3")
    tensors, keys = cursor.scalar("Q"), cursor.scalar("Q")
    if tensors > MOST_TENSORS or keys > MOST_KEYS:
        raise NotGGUF(f"not a valid GGUF: it claims {tensors} tensors and {keys} keys")
    try:
        values = {}
        for _ in range(keys):
            name = cursor.string()
            values[name] = cursor.value(cursor.scalar("I"))
        table, end = _tensors(cursor, tensors)
    except NotGGUF as error:
        raise NotGGUF(f"not a valid GGUF: {error}") from None
    alignment = number_of(values, "general.alignment") or DEFAULT_ALIGNMENT
    data = -(-cursor.position // alignment) * alignment
    needed = data + end if tensors else cursor.position
    return Header(version, tensors, values, needed, table)


def _tensors(cursor: Cursor, count: int) -> tuple[list[tuple[str, int, tuple[int, ...]]], int]:
    """The first of them, and where the last one's data ends, from the start of the data."""
    table: list[tuple[str, int, tuple[int, ...]]] = []
    end = 0
    for _ in range(count):
        name = cursor.string()
        dimensions = cursor.scalar("I")
        if dimensions > MOST_DIMENSIONS:
            raise NotGGUF(f"it claims a tensor of {dimensions} dimensions")
        *dims, kind, offset = cursor.unpack(_REST[dimensions])
        elements = 1
        for size in dims:
            elements *= size
        end = max(end, offset + tensor_bytes(kind, elements))
        if len(table) <= MOST_TOLD:
            table.append((name, kind, tuple(dims)))
    return table, end


def number_of(keys: dict[str, Any], name: str) -> int | None:
    """A key's value where it is what it should be: a file may hold anything there."""
    value = keys.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def essentials(header: Header, parts: int | None) -> dict[str, Any]:
    """What a plan needs to know, as the document has it. `parts` of a model in several files."""
    keys = header.keys
    architecture = _text(keys.get("general.architecture"))
    file_type = number_of(keys, "general.file_type")

    def own(name: str) -> int | None:
        return number_of(keys, f"{architecture}.{name}")

    return {
        "version": header.version,
        "architecture": architecture,
        "type": _text(keys.get("general.type")) or ("adapter" if "adapter.type" in keys else None),
        "name": _text(keys.get("general.name")),
        "layers": own("block_count"),
        "context_length": own("context_length"),
        "embedding_length": own("embedding_length"),
        "head_count": own("attention.head_count"),
        "pooling_type": own("pooling_type"),
        "chat_template": "tokenizer.chat_template" in keys if _TOKENIZER in keys else None,
        "quantization": QUANTIZATION.get(-1 if file_type is None else file_type),
        "tensor_count": number_of(keys, "split.tensors.count") or header.tensors,
        "split_count": parts,
        "shape": shape(keys, header.table),
    }
