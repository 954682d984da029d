"""How a fetch goes that went on without a connection (transfer/remote/detached.py)."""

from __future__ import annotations

import os
from typing import Any

from xgen_deploy.probe.remote.lock import held, place_of
from xgen_deploy.probe.remote.reading import read_text

STATE = 1 << 18


def detached(state_dir: str) -> dict[str, Any]:
    """Whoever runs it has its file locked."""
    path = os.path.join(state_dir, "fetching.json")
    text = read_text(path, STATE)
    if text is None:
        return {}
    return {"fetching": {"alive": place_of(path) in held(), "state": text}}
