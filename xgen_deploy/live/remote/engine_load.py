"""What an engine's own /metrics tell of its load."""

from __future__ import annotations

import math
import re
from typing import Any

from xgen_deploy.probe.remote.reading import read_text
from xgen_deploy.watch.remote.http_get import Where, get
from xgen_deploy.watch.remote.settings import key_in

PATIENCE = 2.0
MOST = 1 << 20
# A metric's value, after its name and labels.
VALUE = r"(?:\{.{0,2000}\})?[ \t]{1,40}([0-9.eE+]{1,40})[ \t]{0,40}$"


def engine_load(instance: dict[str, Any]) -> dict[str, float]:
    """The values of `instance["metrics"]` (what they are -> the metric's name), those that the
    page has. {} where the engine does not answer.
    """
    page = _page(instance)
    known = {what: _total(name, page) for what, name in instance["metrics"].items()}
    return {what: value for what, value in known.items() if value is not None}


def _page(instance: dict[str, Any]) -> str:
    where = Where(instance["address"], instance["port"], key=_key(instance))
    try:
        answer = get(where, "/metrics", PATIENCE, MOST)
    except (OSError, ValueError):
        return ""
    return answer.body.decode("utf-8", "replace") if answer.status == 200 else ""


def _key(instance: dict[str, Any]) -> str | None:
    if not instance.get("key_file"):
        return None
    text = read_text(instance["key_file"])
    return None if text is None else key_in(text, instance["key_pattern"])


def _total(name: str, page: str) -> float | None:
    """Over all its labels."""
    values = [
        _number(text) for text in re.findall("^" + re.escape(name) + VALUE, page, re.MULTILINE)
    ]
    finite = [value for value in values if math.isfinite(value)]
    return sum(finite) if finite else None


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
