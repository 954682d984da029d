"""Stands in for a host behind sshd: answers a look with a document, and reports values.

    python stand_in_agent.py DOCUMENT

It is what sshd runs in place of the host's Python, and needs nothing but the standard library.
"""

import json
import os
import select
import sys
import time
from pathlib import Path

GPUS = 8
INSTANCES = 4


def main() -> None:
    stdin = sys.stdin.buffer
    while stdin.readline().strip() != b"XGEN-PROBE 1":
        pass
    lengths = [int(word) for word in stdin.readline().split()]
    if len(lengths) > 1:
        stdin.read(sum(lengths))
        document = Path(sys.argv[1]).read_bytes()
        os.write(1, b"\nXGEN-DOC %d -\n" % len(document) + document + b"\n")
        return
    stdin.read(lengths[0])
    os.write(1, b"XGEN-READY 1\n")
    report(json.loads(stdin.readline())["interval"])


def report(interval: float) -> None:
    """Until nobody reads."""
    began = time.monotonic()
    while True:
        clock = time.monotonic() - began
        os.write(1, json.dumps(sample(clock)).encode() + b"\n")
        if select.select([0], [], [], interval)[0] and not os.read(0, 1024):
            return


def sample(clock: float) -> dict[str, object]:
    busy = int(clock) % 100
    gpu = {"memory_total_mb": 81559, "memory_used_mb": 40000 + busy, "memory_free_mb": 41559 - busy}
    gpu |= {"utilization_percent": busy, "temperature_celsius": 60.0, "power_watts": 300.0 + busy}
    load = {"generated": clock * 900, "prompt": clock * 4000, "running": 7.0, "waiting": 1.0}
    return {
        "at": time.time(),
        "clock": clock,
        "gpus": [{"index": n, "uuid": f"GPU-{n}", **gpu} for n in range(GPUS)],
        "loads": {f"m{n}": load for n in range(INSTANCES)},
        "memory_available_mb": 500_000,
    }


main()
