"""What the watchdog did, from its own state (watchdog/remote.py)."""

from __future__ import annotations

import os
from typing import Any

from xgen_deploy.bounded_json import read_json
from xgen_deploy.probe.remote.reading import read_text
from xgen_deploy.watch.remote.samples import Sample, sample

LONGEST = 8 << 20


def watchdog_samples(settings: dict[str, Any], record: dict[str, Any]) -> list[Sample]:
    """None where it never ran."""
    path = settings["watchdog_state"]
    text = read_text(path, LONGEST + 1)
    if text is None:
        return []
    states = read_json(text, LONGEST)["instances"]
    told = [sample("xgen_watchdog_last_run_timestamp_seconds", os.stat(path).st_mtime)]
    for name, last in record.get("instances", {}).items():
        labels = {"instance": name, "model": last["spec"]["model"]}
        state = states.get(name) or {}
        restarts = int(state.get("restarts") or 0)
        told += [
            sample("xgen_instance_watchdog_restarts_total", restarts, **labels),
            sample("xgen_instance_watchdog_gave_up", bool(state.get("gave_up")), **labels),
        ]
    return told
