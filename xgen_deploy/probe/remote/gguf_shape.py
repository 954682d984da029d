"""What of a GGUF's header tells how much memory it takes: hyperparameters and tensors, in a few KB.

Most blocks of a model are alike, so that each kind of block is told once.
"""

from __future__ import annotations

import re
from typing import Any

MOST_TENSORS = 20_000
MOST_KEYS = 200
LONGEST_LIST = 1000
_BLOCK = re.compile(r"blk\.(\d{1,4})\.(.+)")


def shape(keys: dict[str, Any], tensors: list[Any]) -> dict[str, Any] | None:
    """`tensors` are (name, type, dimensions). None where these are more than any model has."""
    architecture = keys.get("general.architecture")
    if not isinstance(architecture, str) or not tensors or len(tensors) > MOST_TENSORS:
        return None
    blocks: dict[int, list[Any]] = {}
    whole = []
    for name, kind, dims in tensors:
        match = _BLOCK.fullmatch(name)
        if match is None:
            whole.append([name, kind, list(dims)])
        else:
            blocks.setdefault(int(match[1]), []).append([match[2], kind, list(dims)])
    kinds: list[list[Any]] = []
    of_block = []
    for number in range(max(blocks, default=-1) + 1):
        block = sorted(blocks.get(number, []))
        if block not in kinds:
            kinds.append(block)
        of_block.append(kinds.index(block))
    return {
        "keys": _own_keys(keys, architecture),
        "whole": whole,
        "kinds": kinds,
        "blocks": of_block,
    }


def _own_keys(keys: dict[str, Any], architecture: str) -> dict[str, Any]:
    prefix = architecture + "."
    own = {k[len(prefix) :]: v for k, v in keys.items() if k.startswith(prefix)}
    kept = {k: v for k, v in own.items() if _is_number(v) or _is_list(v)}
    return dict(list(kept.items())[:MOST_KEYS])


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float, bool))


def _is_list(value: Any) -> bool:
    short = isinstance(value, list) and len(value) <= LONGEST_LIST
    return short and all(isinstance(item, (int, bool)) for item in value)
