"""systemd as far as the tool asks for it: units, what of them is loaded, and what runs."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from xgen_deploy.transport.base import Completed

UNIT_DIR = "/etc/systemd/system"
OK = Completed(0, "", "")


class Process(Protocol):
    """What a unit runs."""

    @property
    def run(self) -> str: ...

    @property
    def ended(self) -> bool: ...

    def log(self) -> str: ...


@dataclass
class Unit:
    """`loaded` is its text as systemd has read it; None where it has not yet."""

    loaded: str | None = None
    enabled: bool = False
    process: Process | None = None
    active: bool = False
    restarts: int = 0

    @property
    def crashing(self) -> bool:
        return self.process is not None and self.process.ended


class Systemd:
    """Of one host, over its `files`. `start` makes what a unit runs, by its name and text; None for
    one that runs nothing that is looked at. `guards` are transient units that wait for the lock.
    """

    def __init__(
        self, files: dict[str, bytes], start: Callable[[str, str, str], Process | None]
    ) -> None:
        self._files = files
        self._start = start
        self._runs = 0
        self._units: dict[str, Unit] = {}
        self.guards: dict[str, tuple[str, ...]] = {}
        self.reloads = 0

    def unit(self, name: str) -> Unit:
        """One that is new on the disk is read at its first mention."""
        unit = self._units.setdefault(name, Unit())
        if unit.loaded is None:
            unit.loaded = self._text(name)
        return unit

    def running(self) -> Iterator[tuple[str, Process]]:
        for name, unit in self._units.items():
            if unit.active and unit.process is not None and not unit.process.ended:
                yield name, unit.process

    def run(self, argv: Sequence[str]) -> Completed:
        """`systemctl`, `systemd-run` or `journalctl`."""
        if argv[0] == "systemd-run":
            return self._guard(argv)
        if argv[0] == "journalctl":
            return self._journal(argv)
        words = [w for w in argv[1:] if not w.startswith("--")]
        if words == ["daemon-reload"]:
            return self._reload()
        done = [self._unit(argv, words[0], name) for name in words[1:] or [""]]
        return next((d for d in done if d.returncode != 0), done[-1])

    def _unit(self, argv: Sequence[str], verb: str, name: str) -> Completed:
        """What is asked of one unit."""
        match verb:
            case "show":
                return self._show(name)
            case "enable":
                self.unit(name).enabled = True
            case "disable" if self._text(name) is None:
                return Completed(1, "", f"Failed to disable unit: Unit file {name} does not exist.")
            case "disable":
                self.unit(name).enabled = False
                if "--now" in argv:
                    self._stop(name)
            case "revert":
                for path in self._drop_ins(name):
                    del self._files[path]
                return self._reload()
            case "stop":
                self.guards.pop(name, None)
                self._stop(name)
            case "start" if self.unit(name).active:
                return OK
            case "start" | "restart" | "reload" | "reload-or-restart":
                return self.restart(name)
        return OK

    def restart(self, name: str) -> Completed:
        unit = self.unit(name)
        if unit.loaded is None:
            return Completed(5, "", f"Unit {name} not found.")
        self._runs += 1
        unit.active, unit.restarts = True, 0
        unit.process = self._start(name, unit.loaded, f"run-{self._runs}")
        return OK

    def _text(self, name: str) -> str | None:
        content = self._files.get(f"{UNIT_DIR}/{name}")
        return None if content is None else content.decode()

    def _drop_ins(self, name: str) -> list[str]:
        return [path for path in self._files if path.startswith(f"{UNIT_DIR}/{name}.d/")]

    def _reload(self) -> Completed:
        self.reloads += 1
        for name, unit in self._units.items():
            unit.loaded = self._text(name)
        return OK

    def _stop(self, name: str) -> None:
        unit = self._units.get(name)
        if unit is not None:
            unit.active, unit.process = False, None

    def _guard(self, argv: Sequence[str]) -> Completed:
        name = next(w for w in argv if w.startswith("--unit=")).removeprefix("--unit=")
        if name in self.guards:
            return Completed(1, "", f"Unit {name} already exists.")
        command = argv[argv.index("flock") + 2 :]
        self.guards[name] = tuple(command)
        return OK

    def _show(self, name: str) -> Completed:
        known, unit = name in self._units, self.unit(name)
        if not known and unit.loaded is None:
            del self._units[name]
        shown = {
            "LoadState": "not-found" if unit.loaded is None else "loaded",
            "NeedDaemonReload": "no" if unit.loaded == self._text(name) else "yes",
            "UnitFileState": "enabled" if unit.enabled else "disabled",
            "DropInPaths": " ".join(self._drop_ins(name)),
            "WantedBy": _wanted_by(unit) if unit.enabled else "",
            **_running(unit),
        }
        return Completed(0, "".join(f"{k}={v}\n" for k, v in shown.items()), "")

    def _journal(self, argv: Sequence[str]) -> Completed:
        asked = [w.partition("=")[2] for w in argv if "UNIT=" in w or w.startswith("--unit=")]
        logs = [(name, p) for name in asked if (p := self._process(name)) is not None]
        wanted = next((w.partition("=")[2] for w in argv if w.startswith("--grep=")), "")
        entries = [
            {
                "MESSAGE": line,
                "UNIT": name,
                "__MONOTONIC_TIMESTAMP": "1",
                "__REALTIME_TIMESTAMP": "1700000000000000",
                "_SYSTEMD_INVOCATION_ID": process.run,
            }
            for name, process in logs
            for line in process.log().splitlines()
            if re.search(wanted, line)
        ]
        if "--output=json" not in argv:
            return Completed(0, "\n".join(e["MESSAGE"] for e in entries), "")
        return Completed(0, "\n".join(map(json.dumps, entries)), "")

    def _process(self, unit: str) -> Process | None:
        return self._units[unit].process if unit in self._units else None


def _wanted_by(unit: Unit) -> str:
    stated = re.search("^WantedBy=(.*)$", unit.loaded or "", re.MULTILINE)
    return stated[1] if stated else ""


def _running(unit: Unit) -> dict[str, object]:
    if not unit.active:
        return {"ActiveState": "inactive", "SubState": "dead", "NRestarts": 0}
    run = unit.process.run if unit.process else ""
    if unit.crashing:
        return {
            "ActiveState": "activating",
            "SubState": "auto-restart",
            "NRestarts": unit.restarts,
            "Result": "exit-code",
            "ExecMainCode": 1,
            "ExecMainStatus": 1,
            "InvocationID": run,
        }
    return {
        "ActiveState": "active",
        "SubState": "running",
        "NRestarts": unit.restarts,
        "Result": "success",
        "ExecMainCode": 0,
        "ExecMainStatus": 0,
        "InvocationID": run,
        "ExecMainStartTimestampMonotonic": 1,
        "MainPID": 7,
    }
