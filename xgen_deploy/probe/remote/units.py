"""The project's systemd units: what their files say and what became of them."""

from __future__ import annotations

import glob
import os
import re
import time
from typing import Any

from xgen_deploy.probe.remote.commands import run
from xgen_deploy.probe.remote.files import owner, sha256

PATIENCE = 10.0
# Where its own library tells the version, no program need be run for it.
LIBRARIES = (
    "/usr/lib/systemd/libsystemd-shared-*.so",
    "/usr/lib/*/systemd/libsystemd-shared-*.so",
)
_VERSION = re.compile(r"-(\d+)[^/]*\.so$")
FOLDERS = ("/etc/systemd/system", "/run/systemd/system")
PROPERTIES = (
    "Id",
    "LoadState",
    "ActiveState",
    "SubState",
    "Result",
    "MainPID",
    "NRestarts",
    "ExecMainCode",
    "ExecMainStatus",
    "UnitFileState",
    "FragmentPath",
    "DropInPaths",
    "NeedDaemonReload",
    "InvocationID",
    "ActiveEnterTimestampMonotonic",
)


def systemd_version(running: str = "/run/systemd/system") -> str | None:
    """None where systemd is not what runs this host."""
    if not os.path.isdir(running):
        return None
    for library in (path for pattern in LIBRARIES for path in glob.glob(pattern)):
        named = _VERSION.search(library)
        if named:
            return named[1]
    words = run(["systemctl", "--version"], PATIENCE).out.split()
    return words[1] if len(words) > 1 else None


def units(project: str) -> list[dict[str, Any]]:
    """Raises RuntimeError where systemd does not answer."""
    pattern = f"xgen-{project}-*.service"
    # A pattern finds loaded units only; the files on disk are named one by one.
    patterns = (pattern, f"xgen-{project}-*.socket")  # a socket is the exporter's
    paths = (p for d in FOLDERS for n in patterns for p in glob.glob(os.path.join(d, n)))
    names = {os.path.basename(p) for p in paths}
    names.add("xgen-" + project + ".timer")  # the watchdog's
    argv = ["systemctl", "show", "--no-pager", "--property", ",".join(PROPERTIES), "--"]
    answer = run([*argv, *sorted(names), pattern], PATIENCE)
    if answer.code != 0:
        raise RuntimeError("systemctl: " + answer.complaint)
    found = parse_show(answer.out, time.time() - time.clock_gettime(time.CLOCK_MONOTONIC))
    return [dict(unit, overridden=_on_disk(unit["name"], unit["overridden"])) for unit in found]


def parse_show(text: str, booted: float) -> list[dict[str, Any]]:
    """`booted` is the moment, since 1970, from which systemd counts its monotonic stamps."""
    units_by_name: dict[str, dict[str, Any]] = {}
    for block in text.split("\n\n"):
        seen = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        name = seen.get("Id", "")
        gone = seen.get("LoadState") == "not-found" and seen.get("ActiveState") == "inactive"
        if name and not gone:
            units_by_name[name] = _unit(name, seen, booted)
    return [units_by_name[name] for name in sorted(units_by_name)]


def _unit(name: str, seen: dict[str, str], booted: float) -> dict[str, Any]:
    pid = _number(seen.get("MainPID"))
    entered = _number(seen.get("ActiveEnterTimestampMonotonic"))
    ended = not pid and _number(seen.get("ExecMainCode"))
    fragment = seen.get("FragmentPath", "")
    state_of_file = seen.get("UnitFileState", "")
    return {
        "name": name,
        "kind": "unit",
        "state": seen.get("ActiveState", "unknown"),
        "sub_state": seen.get("SubState") or None,
        "result": seen.get("Result") or None,
        "sha256": sha256(fragment) if fragment else None,
        "uid": owner(fragment) if fragment else None,
        "enabled": state_of_file.startswith("enabled") if state_of_file else None,
        "overridden": _own_drop_ins(name, seen.get("DropInPaths", "")),
        "needs_reload": seen.get("NeedDaemonReload") == "yes",
        "pid": pid or None,
        "restarts": _number(seen.get("NRestarts")),
        "exit_status": _number(seen.get("ExecMainStatus")) if ended else None,
        "since": round(booted + entered / 1e6, 1) if entered else None,
        "invocation": seen.get("InvocationID") or None,
    }


def _own_drop_ins(name: str, paths: str) -> list[str]:
    """What is meant for several services (`service.d`, `xgen-.service.d`) is the host's policy."""
    return [p for p in paths.split() if os.path.basename(os.path.dirname(p)) == name + ".d"]


def _on_disk(name: str, loaded: list[str]) -> list[str]:
    """The unit's drop-ins that are there, whether systemd has read its folders since or not."""
    paths = [p for d in FOLDERS for p in glob.glob(os.path.join(d, name + ".d", "*.conf"))]
    return sorted({p for p in (*loaded, *paths) if os.path.exists(p)})


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isdigit() else None
