"""The host's memory."""

from __future__ import annotations

import re

from xgen_deploy.probe.remote.reading import read_pairs, read_text
from xgen_deploy.watch.remote.samples import Sample, known
from xgen_deploy.watch.remote.sources import Answer

_AVERAGE = re.compile(r"^some .*\bavg60=([0-9.]{1,10})", re.MULTILINE)


def ask_host(proc: str = "/proc") -> Answer:
    memory = read_pairs(proc + "/meminfo", ":")
    average = _AVERAGE.search(read_text(proc + "/pressure/memory") or "")
    samples: list[Sample] = []
    samples += known("xgen_host_memory_total_bytes", _bytes(memory.get("MemTotal")))
    samples += known("xgen_host_memory_available_bytes", _bytes(memory.get("MemAvailable")))
    samples += known(
        "xgen_host_memory_pressure_ratio", float(average[1]) / 100 if average else None
    )
    return Answer(samples, None if memory else "/proc/meminfo cannot be read")


def _bytes(text: str | None) -> int | None:
    """From meminfo's `16316412 kB`."""
    number = (text or "").split(" ")[0]
    return int(number) * 1024 if number.isdigit() else None
