"""AMD GPUs by the tool amd-smi."""

from __future__ import annotations

from typing import Any, Callable, Iterator

from xgen_deploy.probe.remote.commands import Answer, run
from xgen_deploy.probe.remote.gpu_found import Found, pci_address
from xgen_deploy.probe.remote.gpu_json import json_in, number, text
from xgen_deploy.probe.remote.gpu_tools import gpu_tool

PATIENCE = 3.5
STATIC = ("static", "--asic", "--bus", "--vram", "--driver", "--json")
METRIC = ("metric", "--usage", "--mem-usage", "--json")

Ask = Callable[..., Answer]


def amd_by_amd_smi() -> Found:
    """Raises RuntimeError with the tool's complaint."""
    tool = gpu_tool("amd-smi") or "amd-smi"
    return read_amd_smi(lambda *words: run([tool, *words], PATIENCE))


def read_amd_smi(ask: Ask) -> Found:
    """What the card is and what it does come in two answers, joined by the card's number."""
    answer = ask(*STATIC)
    if answer.problem:
        raise RuntimeError("amd-smi: " + answer.problem)
    try:
        cards = list(_cards(json_in(answer.out)))
    except ValueError:
        raise RuntimeError("amd-smi: " + answer.complaint) from None
    doing = _metrics(ask)
    return Found([_gpu(card, doing.get(card["gpu"], {})) for card in cards], [])


def _metrics(ask: Ask) -> dict[int, dict[str, Any]]:
    try:
        return {card["gpu"]: card for card in _cards(json_in(ask(*METRIC).out))}
    except ValueError:
        return {}  # not supported in a guest, or without permission


def _cards(document: Any) -> Iterator[dict[str, Any]]:
    """A bare list up to ROCm 6, an object with `gpu_data` since."""
    rows = document.get("gpu_data", []) if isinstance(document, dict) else document
    for row in rows:
        if isinstance(row, dict) and isinstance(row.get("gpu"), int):
            yield row


def _gpu(card: dict[str, Any], doing: dict[str, Any]) -> dict[str, Any]:
    asic, memory = _part(card, "asic"), _part(doing, "mem_usage")
    total = number(memory.get("total_vram"))
    gfx = text(asic.get("target_graphics_version"))
    return {
        "index": card["gpu"],
        "device_name": text(asic.get("market_name")),
        "pci_bus_id": pci_address(text(_part(card, "bus").get("bdf"))),
        "memory_total_mb": total if total is not None else number(_part(card, "vram").get("size")),
        "memory_used_mb": number(memory.get("used_vram")),
        "memory_free_mb": number(memory.get("free_vram")),
        "gtt_total_mb": number(memory.get("total_gtt")),
        "gtt_used_mb": number(memory.get("used_gtt")),
        "utilization_percent": number(_part(doing, "usage").get("gfx_activity")),
        "gfx_version": gfx if gfx and gfx.startswith("gfx") else None,
        "driver_version": text(_part(card, "driver").get("version")),
    }


def _part(card: dict[str, Any], name: str) -> dict[str, Any]:
    """A group of values may be the string `N/A`."""
    value = card.get(name)
    return value if isinstance(value, dict) else {}
