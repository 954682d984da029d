"""How large the tensors of safetensors files are, by what they are of a model: from their headers,
in a few KB.

A header is JSON, megabytes of it for a model with many experts, nearly all of them theirs. They are
taken as what the others leave of the file: reading them one by one would take a second.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, BinaryIO, Iterator

MOST_LAYERS = 1000
MOST_TYPES = 20
LARGEST = 1 << 50
LONGEST = 8 << 20
PIECE = 1 << 20
OVERLAP = 128
# Within a string its last quote would be escaped.
OFFSETS = re.compile(rb'"data_offsets"\s*:\s*\[\s*\d{1,18}\s*,\s*(\d{1,18})')
ENTRY = re.compile(
    rb'[{\s]{0,9}"?([^"\\]{1,300})"\s*:\s*\{\s*"dtype"\s*:\s*"(\w{1,16})"[^{}]{1,200}'
    rb'"data_offsets"\s*:\s*\[\s*(\d{1,18})\s*,\s*(\d{1,18})\s*\]'
)
SEPARATOR = re.compile(rb'\}\s*,\s*"')
OTHER = re.compile(r"^mtp|visual|vision|audio|image|multi_modal|mm_projector")
NUMBER = re.compile(r"\b(?:layers|h|blocks)\.(\d{1,4})\.")
KINDS = (
    ("embedding", ("embed_tokens", "wte", "word_embeddings", "tok_embeddings", "embed_in")),
    ("head", ("lm_head", "output", "embed_out")),
    ("kv", ("k_proj", "v_proj", "wk", "wv")),
    (
        "attention",
        ("q_proj", "o_proj", "q_b_proj", "kv_b_proj", "qkv_proj", "query_key_value", "wq", "wo"),
    ),
    ("mlp", ("gate_proj", "up_proj", "down_proj", "gate_up_proj", "w1", "w2", "w3")),
    ("router", ("gate", "router")),
)
KIND_OF = {part: kind for kind, parts in KINDS for part in parts}
# Their biases are added once, whole.
SUMMED = ("o_proj", "down_proj", "wo", "w2")


class Tensors:
    """Sums of sizes: of each layer, and outside of layers. Of experts, and what their numbers are
    stored as, there is one sum for all layers."""

    def __init__(self) -> None:
        self.whole: dict[str, int] = {}
        self.layers: dict[int, dict[str, int]] = {}
        self.types: dict[str, int] = {}
        self.known = True

    def add(self, name: str, form: str, size: int) -> None:
        number, kind = _place(name)
        into = self.whole if number is None else self.layers.setdefault(number, {})
        into[kind] = into.get(kind, 0) + size
        self.types[form] = self.types.get(form, 0) + size

    def _sizes(self) -> Iterator[int]:
        for sums in (self.whole, self.types, *self.layers.values()):
            yield from sums.values()

    def facts(self) -> dict[str, Any] | None:
        """As WeightFacts; None where not all of them could be read."""
        if not self.known or not 0 < len(self.types) <= MOST_TYPES:
            return None
        if max(self.layers, default=0) >= MOST_LAYERS or max(self._sizes()) > LARGEST:
            return None
        kinds: list[dict[str, int]] = []
        of_layer = []
        for number in range(max(self.layers, default=-1) + 1):
            layer = self.layers.get(number, {})
            if layer not in kinds:
                kinds.append(layer)
            of_layer.append(kinds.index(layer))
        return {"whole": self.whole, "kinds": kinds, "layers": of_layer, "types": self.types}


def read_tensors(file: BinaryIO, length: int, room: int, tensors: Tensors) -> int:
    """Adds those of a header of `length` bytes, after which there are `room`; where the last one
    ends. Raises OSError."""
    if length > LONGEST:
        tensors.known = False
        return _last_offset(file, length)
    text = file.read(length)
    last = OFFSETS.findall(text[text.rfind(b'"data_offsets"') :])
    whole = len(last) == 1 and int(last[0]) == room  # they are written in that order
    end = room if whole else max(map(int, OFFSETS.findall(text)), default=0)
    entries = text.split(b'},"') if b'},"' in text else SEPARATOR.split(text)
    own = [entry for entry in entries if b".experts." not in entry]
    experts = end - sum(_add(entry, tensors) for entry in own)
    # They lie without gaps.
    if experts < 0 or (experts > 0) != (len(own) < len(entries)):
        tensors.known = False
    elif experts:
        tensors.whole["experts"] = tensors.whole.get("experts", 0) + experts
    return end


def _add(entry: bytes, tensors: Tensors) -> int:
    """Its size."""
    match = ENTRY.match(entry)
    size = int(match[4]) - int(match[3]) if match else 0
    if match is None or size < 0:
        tensors.known = tensors.known and b"__metadata__" in entry
        return 0
    tensors.add(match[1].decode("utf-8", "replace"), match[2].decode(), size)
    return size


def _last_offset(file: BinaryIO, left: int) -> int:
    """From the text piece by piece."""
    end, before = 0, b""
    while left > 0:
        piece = file.read(min(PIECE, left))
        if not piece:
            break
        left -= len(piece)
        text = before + piece
        end = max([end, *map(int, OFFSETS.findall(text))])
        before = text[-OVERLAP:]
    return end


def _place(name: str) -> tuple[int | None, str]:
    """The number of its layer, and what it is of a layer or of the model."""
    match = NUMBER.search(name)
    before, rest = (name[: match.start()], name[match.end() :]) if match else ("", name)
    if OTHER.search(before or name):
        return None, "draft" if name.startswith("mtp") else "vision"
    return (int(match[1]) if match else None), _kind(rest)


@lru_cache(maxsize=1000)
def _kind(rest: str) -> str:
    parts = rest.split(".")
    kind, module = next(((KIND_OF[p], p) for p in parts if p in KIND_OF), ("whole", ""))
    return "whole" if parts[-1] == "bias" and module in SUMMED else kind
