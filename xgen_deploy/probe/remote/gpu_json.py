"""The JSON that AMD's tools print, whichever version prints it."""

from __future__ import annotations

import json
from typing import Any


def json_in(text: str) -> Any:
    """The first document in a text; warnings may stand around it. Raises ValueError if none."""
    for place, letter in enumerate(text):
        if letter in "[{":
            try:
                return json.JSONDecoder().raw_decode(text, place)[0]
            except ValueError:
                continue
    first = (text.strip().splitlines() or ["nothing"])[0][:200]
    raise ValueError(f"no JSON in its answer, which begins with: {first}")


def leaf(value: Any) -> Any:
    """A value that may be wrapped with its unit; None where it says that it has none."""
    if isinstance(value, dict):
        value = value.get("value")
    if isinstance(value, str) and value.strip().upper() in ("", "N/A", "NONE"):
        return None
    return value


def number(value: Any) -> int | None:
    """Of 42, "42", "42 %", {"value": 42, "unit": "MB"}."""
    plain = leaf(value)
    try:
        return int(float(str(plain).split()[0])) if plain is not None else None
    except ValueError:
        return None


def text(value: Any) -> str | None:
    plain = leaf(value)
    return None if plain is None else str(plain).strip()
