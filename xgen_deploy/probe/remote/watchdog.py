"""Whether the timer that looks after the engines runs here, and how its last look ended."""

from __future__ import annotations

import time
from typing import Any

from xgen_deploy.probe.remote.commands import run

PATIENCE = 10.0
PROPERTIES = (
    "Id",
    "LoadState",
    "ActiveState",
    "UnitFileState",
    "Result",
    "ExecMainCode",
    "ExecMainStatus",
    "ExecMainExitTimestampMonotonic",
)


def watchdog(name: str) -> dict[str, Any]:
    """Of `<name>.timer` and `<name>.service`. Raises RuntimeError where systemd does not answer."""
    argv = ["systemctl", "show", "--no-pager", "--property", ",".join(PROPERTIES), "--"]
    answer = run([*argv, name + ".timer", name + ".service"], PATIENCE)
    if answer.code != 0:
        raise RuntimeError("systemctl: " + answer.complaint)
    booted = time.time() - time.clock_gettime(time.CLOCK_MONOTONIC)
    return {"watchdog": parse_watchdog(answer.out, name, booted)}


def parse_watchdog(text: str, name: str, booted: float) -> dict[str, Any]:
    """`booted` is the moment, since 1970, from which systemd counts its monotonic stamps."""
    blocks = [
        dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        for block in text.split("\n\n")
    ]
    shown = {block.get("Id", ""): block for block in blocks}
    timer, service = shown.get(name + ".timer", {}), shown.get(name + ".service", {})
    has_timer = timer.get("LoadState") not in (None, "not-found")
    ended = int(service.get("ExecMainExitTimestampMonotonic") or 0)
    exited = service.get("ExecMainCode", "0") != "0"
    return {
        "timer": timer.get("ActiveState") if has_timer else None,
        "enabled": timer.get("UnitFileState") == "enabled",
        "state": service.get("ActiveState") or None,
        "result": service.get("Result") or None,
        "exit_status": int(service.get("ExecMainStatus") or 0) if exited else None,
        "last_run": round(booted + ended / 1e6, 1) if ended else None,
    }
