"""NVIDIA cards with MIG on: an engine can be given their instances alone."""

from __future__ import annotations

import re
from typing import Any, Callable

from xgen_deploy.probe.remote.commands import Answer

_CARD = re.compile(r"^GPU \d+: .*\(UUID: (GPU-[\w-]+)\)")
_PART = re.compile(r"^\s+MIG (\S+)\s+Device\s+(\d+): \(UUID: (MIG-[\w/-]+)\)")
_WHOLE = re.compile(r"<gpu id=.*?</gpu>", re.DOTALL)
_UUID = re.compile(r"<uuid>(GPU-[\w-]+)</uuid>")
_DEVICE = re.compile(r"<mig_device>.*?</mig_device>", re.DOTALL)
_INDEX = re.compile(r"<index>(\d+)</index>")
_MEMORY = re.compile(r"<fb_memory_usage>(.*?)</fb_memory_usage>", re.DOTALL)
_SIZE = re.compile(r"<(total|used|free)>(\d+) MiB</")


def parted(instances: list[dict[str, Any]] | None) -> dict[str, Any]:
    """What a GPU's facts have of it; `instances` is None where MIG is off."""
    if instances is None:
        return {"mig": []}
    uuids = [instance["uuid"] for instance in instances]
    return {"mig": uuids, "mig_enabled": True, "mig_instances": instances}


def add_mig(
    gpus: list[dict[str, Any]], ask: Callable[[str], Answer], show: Callable[..., Answer]
) -> None:
    """By nvidia-smi: which cards have MIG on, their instances by `-L`, and the memory of these by
    `-q -x`, which has no UUIDs of them. A driver that knows no MIG has none on.
    """
    answer = ask("--query-gpu=uuid,mig.mode.current")
    lines = (line.partition(",") for line in answer.out.splitlines() if answer.code == 0)
    enabled = {uuid.strip() for uuid, _, mode in lines if mode.strip() == "Enabled"}
    if not enabled:
        return
    listed = _listed(show("-L").out)
    sizes = _sizes(show("-q", "-x").out)
    for gpu in gpus:
        if gpu["uuid"] in enabled:
            parts = listed.get(gpu["uuid"], [])
            gpu.update(
                parted(
                    [
                        {"uuid": uuid, "profile": profile, **sizes.get((gpu["uuid"], index), {})}
                        for profile, index, uuid in parts
                    ]
                )
            )


def _listed(text: str) -> dict[str, list[tuple[str, str, str]]]:
    """A card's UUID -> profile, index and UUID of each of its instances."""
    parts: dict[str, list[tuple[str, str, str]]] = {}
    card = None
    for line in text.splitlines():
        whole, part = _CARD.match(line), _PART.match(line)
        if whole:
            card = whole[1]
        elif part and card:
            parts.setdefault(card, []).append((part[1], part[2], part[3]))
    return parts


def _sizes(text: str) -> dict[tuple[str, str], dict[str, int]]:
    """A card's UUID and an instance's index on it -> its memory."""
    sizes = {}
    for gpu in _WHOLE.findall(text):
        card = _UUID.search(gpu)
        for device in _DEVICE.findall(gpu):
            index, memory = _INDEX.search(device), _MEMORY.search(device)
            if card and index and memory:
                pairs = _SIZE.findall(memory[1])
                sizes[card[1], index[1]] = {f"memory_{name}_mb": int(n) for name, n in pairs}
    return sizes
