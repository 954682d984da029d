"""How warm an AMD card is, what it draws, and whether its memory suffers, from the kernel's files
(Documentation/gpu/amdgpu/thermal.rst and ras.rst)."""

from __future__ import annotations

import glob
import re
from typing import Any

from xgen_deploy.probe.remote.reading import read_int, read_text

# The warmest place of the die; older cards tell of its edge alone.
SENSORS = ("junction", "edge")
POWER = ("power1_average", "power1_input")
_UNCORRECTED = re.compile(r"^ue: (\d{1,18})$", re.MULTILINE)


def amd_condition(folder: str) -> dict[str, Any]:
    """`folder` is the card's in sysfs. What it does not tell is None."""
    monitor = next(iter(sorted(glob.glob(folder + "/hwmon/hwmon*"))), "")
    sensor = _sensor(monitor) if monitor else ""
    power = next((p for p in (read_int(f"{monitor}/{n}") for n in POWER) if p is not None), None)
    return {
        "temperature_celsius": _degrees(read_int(sensor + "_input")) if sensor else None,
        "temperature_limit_celsius": _degrees(read_int(sensor + "_crit")) if sensor else None,
        "power_watts": None if power is None else power / 1_000_000,
        "ecc_uncorrected_errors": _uncorrected(folder),
    }


def _sensor(monitor: str) -> str:
    """The beginning of the names of its files; "" where there is none."""
    labels = {
        (read_text(path) or "").strip(): path[: -len("_label")]
        for path in sorted(glob.glob(monitor + "/temp*_label"))
    }
    return next((labels[name] for name in SENSORS if name in labels), "")


def _degrees(thousandths: int | None) -> int | None:
    return None if thousandths is None else thousandths // 1000


def _uncorrected(folder: str) -> int | None:
    """Of all its parts; None where none counts."""
    texts = [read_text(path) or "" for path in glob.glob(folder + "/ras/*_err_count")]
    counts = [int(count) for text in texts for count in _UNCORRECTED.findall(text)]
    return sum(counts) if counts else None
