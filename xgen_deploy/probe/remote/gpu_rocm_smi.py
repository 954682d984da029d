"""AMD GPUs by the older tool rocm-smi."""

from __future__ import annotations

import re
from typing import Any

from xgen_deploy.probe.remote.commands import run
from xgen_deploy.probe.remote.gpu_found import Found, mebibytes, pci_address
from xgen_deploy.probe.remote.gpu_json import json_in, number, text
from xgen_deploy.probe.remote.gpu_tools import gpu_tool

PATIENCE = 5.0
WORDS = ("--showproductname", "--showuse", "--showbus", "--showdriverversion",
         "--showmeminfo", "vram", "gtt", "--json")  # fmt: skip
_CARD = re.compile(r"card(\d+)$")


def amd_by_rocm_smi() -> Found:
    """Raises RuntimeError with the tool's complaint."""
    answer = run([gpu_tool("rocm-smi") or "rocm-smi", *WORDS], PATIENCE)
    if answer.problem:
        raise RuntimeError("rocm-smi: " + answer.problem)
    try:
        return read_rocm_smi(answer.out)
    except ValueError:
        raise RuntimeError("rocm-smi: " + answer.complaint) from None


def read_rocm_smi(output: str) -> Found:
    """Raises ValueError where there is no JSON."""
    document = json_in(output)
    driver = text(_lower(document.get("system")).get("driver version"))
    gpus = []
    for name, values in document.items():
        card = _CARD.match(name)
        if card:
            gpus.append(dict(_gpu(_lower(values), int(card[1])), driver_version=driver))
    return Found(sorted(gpus, key=lambda gpu: int(gpu["index"])), [])


def _lower(values: Any) -> dict[str, Any]:
    """Names of values change their capitals from version to version."""
    return {key.lower(): v for key, v in values.items()} if isinstance(values, dict) else {}


def _gpu(seen: dict[str, Any], index: int) -> dict[str, Any]:
    total = number(seen.get("vram total memory (b)"))
    used = number(seen.get("vram total used memory (b)"))
    gfx = text(seen.get("gfx version"))
    return {
        "index": index,
        "device_name": text(seen.get("card series")) or text(seen.get("card model")),
        "pci_bus_id": pci_address(text(seen.get("pci bus"))),
        "memory_total_mb": mebibytes(total),
        "memory_used_mb": mebibytes(used),
        "memory_free_mb": None if total is None or used is None else mebibytes(total - used),
        "gtt_total_mb": mebibytes(number(seen.get("gtt total memory (b)"))),
        "gtt_used_mb": mebibytes(number(seen.get("gtt total used memory (b)"))),
        "utilization_percent": number(seen.get("gpu use (%)")),
        "gfx_version": gfx if gfx and gfx.startswith("gfx") else None,
    }
