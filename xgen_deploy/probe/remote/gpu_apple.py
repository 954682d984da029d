"""Apple's GPUs, by system_profiler."""

from __future__ import annotations

import json

from xgen_deploy.probe.remote.commands import run
from xgen_deploy.probe.remote.gpu_found import Found

PATIENCE = 7.5


def apple_by_profiler() -> Found:
    """Raises RuntimeError with the tool's complaint."""
    answer = run(["system_profiler", "-json", "SPDisplaysDataType"], PATIENCE)
    if answer.code != 0:
        raise RuntimeError("system_profiler: " + answer.complaint)
    return read_profiler(answer.out)


def read_profiler(output: str) -> Found:
    """Apple's own ones, which share the machine's memory. Raises ValueError for no JSON."""
    seen = json.loads(output).get("SPDisplaysDataType", [])
    ours = [display for display in seen if "Apple" in display.get("spdisplays_vendor", "")]
    return Found(
        [
            {
                "index": index,
                "gpu_type": "apple_mps",
                "device_name": display.get("sppci_model") or display.get("_name"),
                "apu": True,
            }
            for index, display in enumerate(ours)
        ],
        [],
    )
