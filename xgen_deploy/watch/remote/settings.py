"""The exporter's settings (watch/exporter_settings.py writes them), and its credentials."""

from __future__ import annotations

import json
import os
import re
from typing import Any

from xgen_deploy.probe.remote.reading import read_text

FORMAT = 1
LONGEST = 16 << 20


def read_settings(path: str) -> dict[str, Any]:
    """Raises OSError and ValueError."""
    with open(path, encoding="utf-8") as file:
        settings = json.loads(file.read(LONGEST))
    if settings.get("format") != FORMAT:
        raise ValueError(f"{path} has another format than this program's {FORMAT}")
    return dict(settings)


def engine_key(engine: dict[str, Any], credentials: str | None) -> str | None:
    """An engine's key, from the credentials' folder or, without one, from where it lies."""
    if engine["credential"] is None:
        return None
    path = os.path.join(credentials, engine["credential"]) if credentials else engine["key_file"]
    text = read_text(path)
    return None if text is None else key_in(text, engine["key_pattern"])


def key_in(text: str, pattern: str | None) -> str:
    """A key alone on its line, or a JSON string where a pattern finds it."""
    quoted = re.fullmatch(pattern, text) if pattern else None
    return str(json.loads(quoted[1])) if quoted else text.strip()
