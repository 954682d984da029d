"""The devices that Docker can hand out by CDI."""

from __future__ import annotations

import glob
import re
from typing import Any

from xgen_deploy.bounded_json import read_json
from xgen_deploy.probe.remote.reading import read_text

# As nvidia-ctk and amd-ctk write it; a host's Python has no YAML.
_KIND = re.compile(r'^kind:\s*"?([\w.-]+/[\w.-]+)', re.MULTILINE)
_NAME = re.compile(r'^\s*(?:-\s+)?name:\s*"?([\w.:-]+)', re.MULTILINE)


def cdi_devices(info: dict[str, Any]) -> list[str]:
    """From the daemon where it tells (since 28.2), else from the folders that it reads."""
    told = info.get("DiscoveredDevices")
    if told is not None:
        return sorted({item["ID"] for item in told if item.get("Source") == "cdi"})
    names: set[str] = set()
    for folder in info.get("CDISpecDirs") or ():
        for ending in ("json", "yaml", "yml"):
            for path in glob.glob(f"{folder}/*.{ending}"):
                names.update(devices_in(read_text(path, 1 << 22) or ""))
    return sorted(names)


def devices_in(text: str) -> list[str]:
    """The qualified names in one specification, JSON or YAML."""
    try:
        seen = read_json(text, 1 << 20)
        return [f"{seen['kind']}={device['name']}" for device in seen["devices"]]
    except (ValueError, KeyError, TypeError):
        kind = _KIND.search(text)
        return [f"{kind[1]}={name}" for name in _NAME.findall(text)] if kind else []
