"""Reads untrusted JSON within limits on its size, depth and numbers."""

from __future__ import annotations

import json
import math
import re
from typing import Any

DEEPEST = 64
MOST_VALUES = 2_000_000
LONGEST_INTEGER = 20
LONGEST_FLOAT = 64
_LONE = re.compile("[\ud800-\udfff]")


def read_json(text: str | bytes, limit: int) -> Any:
    """Raises ValueError where the text is not JSON, is longer than `limit` (bytes or characters),
    is nested deeper than DEEPEST levels, or has NaN, an infinity, an overlong number or too many
    values.
    """
    if len(text) > limit:
        raise ValueError(f"it is longer than {limit >> 20} MiB")
    if isinstance(text, bytes):
        text = text.decode("utf-8")
    if sum(text.count(sign) for sign in ",[{") > MOST_VALUES:
        raise ValueError(f"it has more than {MOST_VALUES} values")
    try:
        value = json.loads(
            text, parse_int=_integer, parse_float=_float, parse_constant=_no_constant
        )
    except RecursionError:
        raise ValueError(f"it is nested deeper than {DEEPEST} levels") from None
    _check_depth(value)
    if "\\u" in text and _LONE.search(json.dumps(value, ensure_ascii=False)):
        raise ValueError("it has an unpaired surrogate")
    return value


def _integer(digits: str) -> int:
    if len(digits) > LONGEST_INTEGER:
        raise ValueError(f"it has a number of {len(digits)} digits")
    return int(digits)


def _float(digits: str) -> float:
    value = float(digits) if len(digits) <= LONGEST_FLOAT else math.inf
    if math.isinf(value):
        raise ValueError("it has a number that is too large or too long")
    return value


def _no_constant(name: str) -> float:
    raise ValueError(f"it has {name}, which is not a number")


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(DEEPEST):
        level = [child for parent in level for child in _children(parent)]
        if not level:
            return
    if any(isinstance(child, (dict, list)) for child in level):
        raise ValueError(f"it is nested deeper than {DEEPEST} levels")


def _children(value: Any) -> Any:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()
