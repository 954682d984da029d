"""Restarts engines that hang: run on a host by a systemd timer, once a minute.

Standard library only, Python 3.8+. `python3 -I FILE CONFIG STATE`. An active instance whose real
requests time out several times while its token counters stand still is restarted; a busy one is
not, and one that does not run is left to systemd and its operator. After each restart the pause
before the next grows; after a stated number it is given up.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import subprocess
import sys
import time
from typing import Any, NamedTuple

COUNTERS = re.compile(
    r"^(?:llamacpp:(?:prompt_tokens|tokens_predicted)_total"
    r"|vllm:(?:prompt_tokens|generation_tokens)_total(?:\{[^}]*\})?)\s+([0-9.e+]+)$",
    re.MULTILINE,
)


class Limits(NamedTuple):
    """`failures` requests without an answer make a restart; after `restarts` of them without a
    good answer in between it is given up. `pause` is how long an engine is left alone after its
    start, doubled after every restart; `request` how long it may take to answer. In seconds.
    """

    failures: int = 3
    restarts: int = 5
    pause: float = 120.0
    request: float = 30.0


def main(config_path: str, state_path: str) -> None:
    with open(config_path, encoding="utf-8") as file:
        config = json.load(file)
    if locked(config["lock"]):
        return  # an apply is at work: what it stops and starts is its own affair
    try:
        with open(state_path, encoding="utf-8") as file:
            before = json.load(file)["instances"]
    except (OSError, ValueError, KeyError):
        before = {}
    limits = Limits(**config.get("limits", {}))
    after = {n: look(one, before.get(n, {}), limits) for n, one in config["instances"].items()}
    draft = state_path + ".new"
    with open(draft, "w", encoding="utf-8") as file:
        json.dump({"format": 1, "instances": after}, file)
    os.replace(draft, state_path)


def locked(path: str) -> bool:
    """Told from the kernel's list: taking the lock, however briefly, would refuse an apply."""
    try:
        inode = f":{os.stat(path).st_ino} "
        with open("/proc/locks", encoding="utf-8") as file:
            return any(inode in line and "FLOCK" in line for line in file)
    except OSError:
        return False


def look(one: dict[str, Any], was: dict[str, Any], limits: Limits) -> dict[str, Any]:
    """The instance's new state; `was` is the one of a minute ago."""
    run, age = started(one["unit"])
    if was.get("gave_up") and (run is None or run == was.get("run")):
        return was
    if run is None or age < limits.pause:
        return {k: v for k, v in was.items() if k in ("restarts", "not_before", "reason")}
    if was.get("gave_up"):
        was = {}  # somebody started it again by hand
    if ask(one, "POST", one["path"], json.dumps(one["body"]), limits) is not None:
        return {"run": run}
    state = dict(was, run=run)
    tokens = counted(one, limits)
    if tokens is not None and tokens != was.get("tokens"):
        return dict(state, tokens=tokens, failures=0)
    state.update(failures=int(was.get("failures", 0)) + 1, tokens=tokens)
    if state["failures"] < limits.failures or time.time() < was.get("not_before", 0):
        return state
    return restart(one, state, limits)


def restart(one: dict[str, Any], state: dict[str, Any], limits: Limits) -> dict[str, Any]:
    restarts = int(state.get("restarts", 0))
    reason = lost_gpu() or "real requests time out and its token counters stand still"
    if restarts >= limits.restarts:
        command("systemctl", "stop", one["unit"])
        said = f"given up, restarted {restarts} times: {reason}"
        print(one["unit"] + ": " + said)
        return dict(state, gave_up=said)
    print("{}: restarted: {}".format(one["unit"], reason))
    command("systemctl", "restart", one["unit"])
    return {
        "restarts": restarts + 1,
        "not_before": time.time() + limits.pause * 2**restarts,
        "reason": reason,
    }


def started(unit: str) -> tuple[str | None, float]:
    """systemd's id of the current start and its age in seconds; None where it is not active."""
    names = "ActiveState,InvocationID,ActiveEnterTimestampMonotonic"
    shown = command("systemctl", "show", "--property=" + names, unit)
    values = dict(line.split("=", 1) for line in shown.splitlines() if "=" in line)
    since = float(values.get("ActiveEnterTimestampMonotonic") or 0) / 1e6
    run = values.get("InvocationID") if values.get("ActiveState") == "active" else None
    return run or None, time.clock_gettime(time.CLOCK_MONOTONIC) - since


def counted(one: dict[str, Any], limits: Limits) -> float | None:
    """How many tokens the engine has seen; a busy one moves. None where it does not say."""
    page = ask(one, "GET", "/metrics", None, limits)
    found = COUNTERS.findall(page or "")
    return sum(map(float, found)) if found else None


def ask(
    one: dict[str, Any], method: str, path: str, body: str | None, limits: Limits
) -> str | None:
    """What was answered, be it an error: who answers does not hang."""
    headers = {"Content-Type": "application/json"}
    try:
        if one.get("key_file"):
            with open(one["key_file"], encoding="utf-8") as file:
                headers["Authorization"] = "Bearer " + key_in(file.read())
        connection = http.client.HTTPConnection(one["address"], one["port"], timeout=limits.request)
        try:
            connection.request(method, path, body, headers)
            return connection.getresponse().read(1 << 20).decode("utf-8", "replace")
        finally:
            connection.close()
    except (OSError, http.client.HTTPException):
        return None


def key_in(text: str) -> str:
    """A key alone on its line, or the quoted one of vLLM's configuration."""
    quoted = re.search(r'"([^"]+)"', text)
    return quoted.group(1) if quoted else text.strip()


def lost_gpu() -> str | None:
    """NVIDIA's driver says so in the kernel's log (Xid 79)."""
    text = command("journalctl", "--dmesg", "--no-pager", "--lines=500", "--output=cat")
    for line in reversed(text.splitlines()):
        if "fallen off the bus" in line:
            return "a GPU fell off the bus: " + line.strip()[:200]
    return None


def command(*argv: str) -> str:
    try:
        done = subprocess.run(
            argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=300, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode("utf-8", "replace")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
