"""Vectors of an embedding model: how close they are, and those that a host keeps. Pure.

Whoever keeps an index of vectors needs that later ones are like them: another engine, build,
quantisation or file must not change them unnoticed.
"""

import math
from collections.abc import Iterator, Sequence

from pydantic import Field, ValidationError

from xgen_deploy.bounded_json import read_json
from xgen_deploy.frozen import Frozen
from xgen_deploy.state.accept import Vector

KEPT = 4 << 20
TEXTS = (
    "The invoice of 14 March is overdue; please pay it within ten days.",
    "배송이 늦어진 주문의 환불 절차를 알려 주세요.",
    "def mean(values): return sum(values) / len(values)",
    "GPU servers are cooled with water in the new data centre.",
)


class KeptVectors(Frozen):
    """The vectors of `texts` as an instance gave them when they were first seen or accepted."""

    format: int = 1
    model: str
    texts: tuple[str, ...]
    vectors: tuple[Vector, ...] = Field(max_length=len(TEXTS))


def read_kept(content: bytes | None, model: str) -> KeptVectors | None:
    """None where there are none of this model for today's texts."""
    if content is None:
        return None
    try:
        kept = KeptVectors.model_validate(read_json(content, KEPT))
    except (ValueError, ValidationError):
        return None
    usable = kept.model == model and kept.texts == TEXTS and len(kept.vectors) == len(TEXTS)
    return kept if usable else None


def too_far(
    texts: Sequence[str],
    before: Sequence[Sequence[float]],
    now: Sequence[Sequence[float]],
    least: float,
) -> Iterator[str]:
    """A clause for each text whose vector is not as it was."""
    for text, old, new in zip(texts, before, now, strict=True):
        shown = text if len(text) <= 40 else f"{text[:40]}…"
        if len(old) != len(new):
            yield f"the vector of `{shown}` has {len(new)} dimensions, not {len(old)}"
        elif (near := cosine(old, new)) < least:
            required = f"at least {least:g} is required"
            yield f"the vector of `{shown}` has a cosine of {near:.4f}; {required}"


def cosine(one: Sequence[float], other: Sequence[float]) -> float:
    """0 where either is no direction."""
    size = math.sqrt(sum(x * x for x in one) * sum(y * y for y in other))
    product = sum(x * y for x, y in zip(one, other, strict=True))
    return product / size if size > 0 and math.isfinite(product / size) else 0.0
