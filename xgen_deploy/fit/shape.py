"""A model as its header describes it: hyperparameters, and tensors by name, type and dimensions."""

import re
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod

BLOCK = re.compile(r"blk\.(\d+)\.(.+)")
# ggml's numbers of tensor types: elements in a block, bytes of a block.
_BLOCKS = {
    0: (1, 4), 1: (1, 2), 2: (32, 18), 3: (32, 20), 6: (32, 22), 7: (32, 24), 8: (32, 34),
    9: (32, 36), 10: (256, 84), 11: (256, 110), 12: (256, 144), 13: (256, 176), 14: (256, 210),
    15: (256, 292), 16: (256, 66), 17: (256, 74), 18: (256, 98), 19: (256, 50), 20: (32, 18),
    21: (256, 110), 22: (256, 82), 23: (256, 136), 24: (1, 1), 25: (1, 2), 26: (1, 4), 27: (1, 8),
    28: (1, 8), 29: (256, 56), 30: (1, 2), 34: (256, 54), 35: (256, 66), 39: (32, 17),
    40: (64, 36), 41: (128, 18), 42: (64, 18),
}  # fmt: skip
# Encoders and diffusers.
WITHOUT_CACHE = frozenset(
    {
        "bert", "jina-bert-v2", "jina-bert-v3", "nomic-bert", "nomic-bert-moe", "neo-bert",
        "eurobert", "modern-bert", "gemma-embedding", "dream", "llada", "llada-moe", "rnd1",
    }
)  # fmt: skip
# How a block's tensors begin that remember, and that make keys.
_STATES = ("ssm_", "shortconv.", "time_mix_", "delta_net")
_KEYS = ("attn_k.", "attn_kv_", "attn_k_b.")


class UnknownType(Exception):
    """A tensor is of a type that this version does not know the size of."""


@dataclass(frozen=True)
class Tensor:
    """`kind` is ggml's number of its type."""

    name: str
    kind: int
    dims: tuple[int, ...]

    @property
    def elements(self) -> int:
        return prod(self.dims)

    @property
    def per_block(self) -> int:
        """Elements that its type keeps together. Raises UnknownType."""
        if self.kind not in _BLOCKS:
            raise UnknownType(f"its tensor `{self.name}` is of the unknown type {self.kind}")
        return _BLOCKS[self.kind][0]

    @property
    def is_quantised(self) -> bool:
        return self.per_block > 1

    @cached_property
    def bytes(self) -> int:
        """Raises UnknownType."""
        return self.elements // self.per_block * _BLOCKS[self.kind][1]

    def row_bytes(self, elements: int) -> int:
        """Of so many elements, which is a whole number of blocks."""
        per_block, size = _BLOCKS[self.kind]
        return elements // per_block * size


@dataclass(frozen=True, eq=False)
class ModelShape:
    """`keys` are the header's, without the architecture in front; others are as they are."""

    architecture: str
    keys: Mapping[str, object]
    tensors: Sequence[Tensor]

    def number(self, key: str, default: int = 0) -> int:
        value = self.keys.get(key)
        return value if isinstance(value, int) and not isinstance(value, bool) else default

    def per_layer(self, key: str, default: int = 0) -> tuple[int, ...]:
        """A value for each block, where the header has one or an array."""
        value = self.keys.get(key)
        if isinstance(value, list):
            return tuple(int(v) for v in value)
        return (self.number(key, default),) * self.blocks

    @cached_property
    def blocks(self) -> int:
        return self.number("block_count")

    @property
    def width(self) -> int:
        return self.number("embedding_length")

    @property
    def trained_context(self) -> int:
        return self.number("context_length")

    @cached_property
    def vocabulary(self) -> int:
        """By the table of tokens itself."""
        table = self.whole.get("token_embd.weight")
        return table.dims[1] if table is not None else self.number("vocab_size")

    @property
    def heads(self) -> int:
        return max(self.per_layer("attention.head_count"))

    @cached_property
    def kv_heads(self) -> tuple[int, ...]:
        return self.per_layer("attention.head_count_kv", self.heads)

    @cached_property
    def key_size(self) -> int:
        return self.number("attention.key_length") or self.width // max(1, self.heads)

    @cached_property
    def value_size(self) -> int:
        return self.number("attention.value_length") or self.width // max(1, self.heads)

    @property
    def is_causal(self) -> bool:
        """Whether a token sees only those before it."""
        told = self.keys.get("attention.causal")
        return self.architecture not in WITHOUT_CACHE and told is not False

    @cached_property
    def layers(self) -> int:
        """The blocks that are computed: those that predict further tokens are not loaded."""
        return self.blocks - min(self.number("nextn_predict_layers"), max(0, self.blocks - 1))

    @property
    def is_mla(self) -> bool:
        return "attention.key_length_mla" in self.keys

    @cached_property
    def remembers(self) -> tuple[bool, ...]:
        """By block, whether it has a state beside, or instead of, a cache."""
        return tuple(any(name.startswith(_STATES) for name in block) for block in self.by_block)

    @cached_property
    def attends(self) -> tuple[bool, ...]:
        """By block, whether it has keys and values."""
        return tuple(
            (self.is_mla or self.kv_heads[at] > 0)
            and (not self.remembers[at] or any(name.startswith(_KEYS) for name in block))
            for at, block in enumerate(self.by_block)
        )

    @cached_property
    def whole(self) -> Mapping[str, Tensor]:
        """Tensors that belong to no block."""
        return {t.name: t for t in self.tensors if not BLOCK.fullmatch(t.name)}

    @cached_property
    def by_block(self) -> tuple[Mapping[str, Tensor], ...]:
        """By name without the block's number."""
        blocks: list[dict[str, Tensor]] = [{} for _ in range(self.blocks)]
        for tensor in self.tensors:
            match = BLOCK.fullmatch(tensor.name)
            if match is not None and int(match[1]) < self.blocks:
                blocks[int(match[1])][match[2]] = tensor
        return tuple(blocks)

    @cached_property
    def block_layouts(self) -> tuple[int, ...]:
        """By block a number; blocks of one number have the same tensors but for their types."""
        return _numbered(tuple((n, t.dims) for n, t in b.items()) for b in self.by_block)

    @cached_property
    def block_kinds(self) -> tuple[int, ...]:
        """As `block_layouts`, with the types."""
        return _numbered(tuple((n, t.dims, t.kind) for n, t in b.items()) for b in self.by_block)


def _numbered(kinds: Iterable[Hashable]) -> tuple[int, ...]:
    numbers: dict[Hashable, int] = {}
    return tuple(numbers.setdefault(kind, len(numbers)) for kind in kinds)
