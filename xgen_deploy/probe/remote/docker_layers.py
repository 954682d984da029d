"""What the daemon has of an image that this host may be given."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from xgen_deploy.probe.remote.docker_image import PATIENCE, inspect
from xgen_deploy.probe.remote.unix_http import request

MOST = 500


def is_same(seen: dict[str, Any], pushed: dict[str, Any]) -> bool:
    """By its ID, which depends on the store and on how it came; else by layers and settings."""
    if seen.get("Id") in pushed["ids"]:
        return True
    return bool(
        _layers(seen) == list(pushed["layers"])
        and settings(seen.get("Config") or {}) == pushed["settings"]
    )


def settings(config: dict[str, Any]) -> str:
    """As state/oci_image.py has it."""
    values = (
        config.get("Entrypoint") or [],
        config.get("Cmd") or [],
        config.get("Env") or [],
        config.get("User") or "",
        config.get("WorkingDir") or "",
    )
    return hashlib.sha256(json.dumps(values).encode()).hexdigest()


def layers_there(socket: str, layers: list[str]) -> int:
    """How many of them, from the first on, some image here has too. A layer lies on those before
    it, so that others are of no use."""
    listed = request(socket, "GET", "/images/json", PATIENCE)
    images = listed.value if listed.status == 200 and isinstance(listed.value, list) else []
    most = 0
    for image in images[:MOST]:
        if most == len(layers):
            break
        seen = inspect(socket, image["Id"])
        if seen.status == 200:
            most = max(most, _common(_layers(seen.value), layers))
    return most


def _layers(seen: dict[str, Any]) -> list[str]:
    return (seen.get("RootFS") or {}).get("Layers") or []


def _common(theirs: list[str], layers: list[str]) -> int:
    count = 0
    for a, b in zip(theirs, layers):
        if a != b:
            break
        count += 1
    return count
