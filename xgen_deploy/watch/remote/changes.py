"""Planned work: an apply that is under way, and what is out of service."""

from __future__ import annotations

import os
from typing import Any

from xgen_deploy.probe.remote.lock import held, place_of
from xgen_deploy.watch.remote.samples import Sample, sample


def change_samples(settings: dict[str, Any]) -> list[Sample]:
    """Told from the kernel's list of locks: taking the lock would get in an apply's way. An apply
    writes to it as each of its operations begins."""
    path = settings["lock"]
    if place_of(path) not in held():
        return [sample("xgen_change_in_progress", 0)]
    until = os.stat(path).st_mtime + settings["change_seconds"]
    return [
        sample("xgen_change_in_progress", 1),
        sample("xgen_change_deadline_timestamp_seconds", until),
    ]


def maintenance_samples(record: dict[str, Any], now: float) -> list[Sample]:
    """One whose time is over does not count any more."""
    cordons = record.get("cordons") or []
    holding = [c for c in cordons if c.get("until") is None or now < c["until"]]
    gpus = sorted({c["gpu"]["identity"] for c in holding if c.get("gpu")})
    whole = any(not c.get("gpu") for c in holding)
    return [
        sample("xgen_maintenance", whole, gpu_uuid=""),
        *(sample("xgen_maintenance", 1, gpu_uuid=gpu) for gpu in gpus),
    ]
