"""NVIDIA GPUs by nvidia-smi, where NVML cannot be loaded."""

from __future__ import annotations

import re
from typing import Any, Callable

from xgen_deploy.probe.remote.commands import Answer, run
from xgen_deploy.probe.remote.gpu_found import Found, pci_address
from xgen_deploy.probe.remote.gpu_hardware import REBOOT
from xgen_deploy.probe.remote.gpu_tools import gpu_tool
from xgen_deploy.probe.remote.mig import add_mig
from xgen_deploy.probe.remote.processes import gpu_process

PATIENCE = 7.0
FIELDS = (
    "index",
    "uuid",
    "name",
    "pci.bus_id",
    "memory.total",
    "memory.used",
    "memory.free",
    "utilization.gpu",
    "compute_cap",
    "driver_version",
)
# What the shell's probe (probe/sh/) does without.
CONDITION = (
    "temperature.gpu",
    "power.draw",
    "clocks_throttle_reasons.sw_thermal_slowdown",
    "clocks_throttle_reasons.hw_thermal_slowdown",
    "ecc.errors.uncorrected.volatile.total",
)
MISMATCH = "Driver/library version mismatch"
_UNKNOWN_FIELD = re.compile(r'[Ff]ield "([\w.]+)" is not a valid field')
_NOT_KNOWN = re.compile(r"^\[.*\]$|^$|^N/A$")

Ask = Callable[[str], Answer]


def nvidia_by_smi() -> Found:
    """Raises RuntimeError with the tool's complaint."""
    tool = gpu_tool("nvidia-smi") or "nvidia-smi"

    def ask(query: str) -> Answer:
        return run([tool, query, "--format=csv,noheader,nounits"], PATIENCE)

    def show(*options: str) -> Answer:
        return run([tool, *options], PATIENCE)

    found = read_smi(ask)
    add_mig(found.gpus, ask, show)
    return found


def read_smi(ask: Ask) -> Found:
    """A field that this version does not know is left out and the rest asked again."""
    fields = [*FIELDS, *CONDITION]
    answer = ask("--query-gpu=" + ",".join(fields))
    while answer.code != 0:
        unknown = _UNKNOWN_FIELD.search(answer.out + answer.err)
        if not unknown or unknown[1] not in fields:
            raise RuntimeError(_complaint(answer))
        fields.remove(unknown[1])
        answer = ask("--query-gpu=" + ",".join(fields))
    gpus: list[dict[str, Any]] = []
    lost: list[tuple[str, str]] = []
    for line in answer.out.splitlines():
        values = [value.strip() for value in line.split(",")]
        if len(values) != len(fields):
            if line.strip():
                lost.append(("line", line.strip()[:200]))
            continue
        seen = {f: v for f, v in zip(fields, values) if not _NOT_KNOWN.match(v)}
        if "uuid" in seen and "index" in seen:
            gpus.append(_gpu(seen))
        else:
            lost.append((f"GPU {values[0]}", "nvidia-smi tells nothing of it: " + line.strip()))
    _add_processes(gpus, ask)
    return Found(gpus, lost)


def _complaint(answer: Answer) -> str:
    """Of a mismatch the last line tells the library's version alone."""
    if MISMATCH in answer.out + answer.err:
        return f"{MISMATCH}: {REBOOT}"
    return answer.complaint


def _gpu(seen: dict[str, str]) -> dict[str, Any]:
    return {
        "index": int(seen["index"]),
        "gpu_type": "nvidia",
        "device_name": seen.get("name"),
        "uuid": seen["uuid"],
        "pci_bus_id": pci_address(seen.get("pci.bus_id")),
        "memory_total_mb": _number(seen.get("memory.total")),
        "memory_used_mb": _number(seen.get("memory.used")),
        "memory_free_mb": _number(seen.get("memory.free")),
        "utilization_percent": _number(seen.get("utilization.gpu")),
        "compute_capability": seen.get("compute_cap"),
        "driver_version": seen.get("driver_version"),
        "temperature_celsius": _number(seen.get("temperature.gpu")),
        "power_watts": _decimal(seen.get("power.draw")),
        "thermal_throttled": _throttled(seen),
        "ecc_uncorrected_errors": _number(seen.get("ecc.errors.uncorrected.volatile.total")),
        "processes": [],
    }


def _add_processes(gpus: list[dict[str, Any]], ask: Ask) -> None:
    by_uuid = {gpu["uuid"]: gpu for gpu in gpus}
    answer = ask("--query-compute-apps=gpu_uuid,pid,used_memory")
    for line in answer.out.splitlines() if answer.code == 0 else ():
        uuid, _, rest = line.partition(",")
        pid, _, memory = rest.partition(",")
        number = _number(pid)
        if number is not None and uuid.strip() in by_uuid:
            by_uuid[uuid.strip()]["processes"].append(gpu_process(number, _number(memory)))


def _throttled(seen: dict[str, str]) -> bool | None:
    """By heat, whichever of the two parts does it."""
    told = [seen[field] for field in seen if field.endswith("_thermal_slowdown")]
    return "Active" in told if told else None


def _decimal(text: str | None) -> float | None:
    try:
        return float((text or "").strip())
    except ValueError:
        return None


def _number(text: str | None) -> int | None:
    try:
        return int(float((text or "").strip()))
    except ValueError:
        return None
