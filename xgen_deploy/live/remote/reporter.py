"""Reports a host's values, a line of JSON each few seconds, for as long as somebody reads them.

It reads one line, the request: `interval` in seconds, `software_gpu` as the probe has it, and
`instances`, by name, as `engine_load` asks them. It ends with its input. Nothing is written.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from typing import Any

from xgen_deploy.live.remote.engine_load import engine_load
from xgen_deploy.probe.remote.gpu_chain import detect
from xgen_deploy.probe.remote.gpu_detectors import DETECTORS
from xgen_deploy.probe.remote.parts import side_by_side

DEADLINE = 20.0
REST = 3.0  # it rests at least so many times as long as a look took
VALUES = (
    "index",
    "uuid",
    "pci_bus_id",
    "memory_total_mb",
    "memory_used_mb",
    "memory_free_mb",
    "utilization_percent",
    "gtt_used_mb",
    "temperature_celsius",
    "power_watts",
)


def main() -> None:
    request = json.loads(sys.stdin.buffer.readline())
    out = os.dup(1)
    _keep_stdout_clean()
    os.write(out, b"XGEN-READY 1\n")
    threading.Thread(target=_end_with_input, daemon=True).start()
    _hold_driver()
    detectors: tuple[str, ...] = ()
    while True:
        began = time.monotonic()
        sample, detectors = _sample(request, detectors)
        _write(out, json.dumps(sample, separators=(",", ":")).encode() + b"\n")
        took = time.monotonic() - began
        time.sleep(max(request["interval"] - took, REST * took))


def _sample(
    request: dict[str, Any], detectors: tuple[str, ...]
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Values, and the detectors that had some: they alone are asked next time."""
    gpus, detectors = _gpus(request["software_gpu"], detectors)
    loads = side_by_side(_load, list(request["instances"].items()))
    sample = {
        "at": time.time(),
        "clock": time.monotonic(),
        "gpus": gpus,
        "loads": dict(load for load in loads if load[1]),
        "memory_available_mb": _memory_available(),
    }
    return sample, detectors


def _gpus(software: int, names: tuple[str, ...]) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
    """Their values, and the names of the detectors that have some."""
    chosen = [d for d in DETECTORS if d.name in names] if names else DETECTORS
    seen = detect(software, DEADLINE, chosen)
    worked = tuple(a["detector"] for a in seen["attempts"] if a["ok"])
    values = [{key: gpu.get(key) for key in VALUES if key in gpu} for gpu in seen["gpus"]]
    return values, worked if seen["gpus"] else ()


def _load(item: tuple[str, dict[str, Any]]) -> tuple[str, dict[str, float]]:
    name, instance = item
    try:
        return name, engine_load(instance)
    except Exception:  # a key that cannot be read, a page that is none
        return name, {}


def _memory_available() -> int | None:
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            lines = dict(line.split(":", 1) for line in file if ":" in line)
        return int(lines["MemAvailable"].split()[0]) // 1024
    except (OSError, KeyError, ValueError, IndexError):
        return None


def _hold_driver() -> None:
    """NVIDIA's driver sleeps when nobody has it open, and each waking costs a second or more."""
    try:
        import ctypes

        ctypes.CDLL("libnvidia-ml.so.1").nvmlInit_v2()
    except Exception:
        return


def _keep_stdout_clean() -> None:
    """GPU libraries print, in C as well."""
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 1)
    os.dup2(null, 2)


def _end_with_input() -> None:
    while os.read(0, 4096):
        pass
    os._exit(0)


def _write(out: int, data: bytes) -> None:
    """Ends where nobody reads any more."""
    try:
        while data:
            data = data[os.write(out, data) :]
    except OSError:
        os._exit(0)
