"""Units, for the docker and the systemd runtimes."""

import re
from collections.abc import Sequence

from xgen_deploy.apply.journal import (
    kernel_log_argv,
    lines_of_run,
    lines_since,
    run_log_argv,
    suppressed,
    suppressed_argv,
    sync,
    unit_log_argv,
)
from xgen_deploy.apply.service_manager import EndedAtOnce, State
from xgen_deploy.transport.base import Completed, HostError, Session

_START = 180.0
_STOP = 120.0
_ASK = 30.0
_PROPERTIES = (
    "ActiveState,SubState,NRestarts,Result,ExecMainCode,ExecMainStatus,InvocationID,"
    "ExecMainStartTimestampMonotonic"
)
_LOADED = "LoadState,NeedDaemonReload,UnitFileState,DropInPaths,WantedBy"
_NUMBER = re.compile("[0-9]{1,20}")
_WANTED_BY = re.compile(r"^WantedBy=.* (\S{1,200}\.service)$", re.MULTILINE)
_DEFAULT_OUTPUT = "`DefaultStandardOutput=` in system.conf"
_NOTHING_KEPT = (
    "the journal has no line of this start: journald keeps none here, or has dropped them already "
    "(`Storage=`, `MaxLevelStore=`, `SystemMaxUse=` in journald.conf)"
)
# Where a drop-in for a unit of ours may lie, but for what a package brought.
_OWN = ("/etc/systemd/system", "/etc/systemd/system.control", "/run/systemd/system")


class Systemd:
    """Over one host's session."""

    def __init__(self, host: str, session: Session) -> None:
        self._host = host
        self._session = session

    def prepare(self) -> None:
        """systemd is there: the plan has refused hosts without it."""

    def reload(self) -> None:
        """Only called when a unit changed: a reload can take GPUs from running containers
        (nvidia-container-toolkit issue 48)."""
        self._run("daemon-reload", timeout=_ASK)

    def start(self, service: str) -> None:
        unit = f"{service}.service"
        loaded = self._loaded(unit)
        self._run("enable", "--quiet", "--no-reload", unit, timeout=_ASK)
        if _outdated(loaded):
            loaded = self._loaded(unit)
        if _outdated(loaded) or self._docker_is_to_know(unit, loaded):
            self.reload()
            loaded = self._loaded(unit)
        self._drop_changes(unit, loaded)
        self._session.run(["systemctl", "reset-failed", unit], timeout=_ASK)
        done = self._session.run(["systemctl", "restart", unit], timeout=_START)
        if done.returncode != 0:
            error = self._failed(done, ("restart", unit))
            ran = self.state(service).result not in (None, "success")
            raise EndedAtOnce(self._host, error.reason) if ran else error

    def restore(self, service: str, *, reload: bool) -> None:
        unit = f"{service}.service"
        for folder in _OWN:
            self._session.remove(f"{folder}/{unit}.d", within=folder)
        self._run("enable", "--quiet", "--no-reload", unit, timeout=_ASK)
        loaded = self._loaded(unit)
        if reload and (_outdated(loaded) or self._docker_is_to_know(unit, loaded)):
            self.reload()

    def stop(self, service: str) -> None:
        unit = f"{service}.service"
        done = self._session.run(["systemctl", "disable", "--now", "--quiet", unit], timeout=_STOP)
        if done.returncode != 0 and self.state(service).alive:  # as where its file is gone
            done = self._session.run(["systemctl", "stop", unit], timeout=_STOP)
        if done.returncode != 0 and self.state(service).alive:
            raise self._failed(done, ("stop", unit))
        self._drop_changes(unit, self._loaded(unit))
        self._session.run(["systemctl", "reset-failed", unit], timeout=_ASK)

    def restart_argv(self, service: str) -> tuple[str, ...]:
        return ("systemctl", "restart", f"{service}.service")

    def stop_argv(self, service: str) -> tuple[str, ...]:
        return ("systemctl", "stop", f"{service}.service")

    def pid(self, service: str) -> int | None:
        argv = ["systemctl", "show", "--property=MainPID", f"{service}.service"]
        shown = _properties(self._session.run(argv, timeout=_ASK).stdout)
        return _number(shown.get("MainPID")) or None

    def state(self, service: str) -> State:
        shown = self._shown(service)
        active, sub = shown.get("ActiveState", "unknown"), shown.get("SubState", "")
        ran = shown.get("ExecMainCode", "0") != "0"
        return State(
            alive=active in ("active", "activating", "reloading") and sub != "auto-restart",
            detail=f"{active} ({sub})",
            restarts=_number(shown.get("NRestarts")) or 0,
            run=shown.get("InvocationID") or None,
            result=shown.get("Result") or None,
            status=_number(shown.get("ExecMainStatus")) if ran else None,
        )

    def log(self, service: str, run: str | None, *, lines: int | None = None) -> str:
        unit = f"{service}.service"
        sync(self._session)
        if run is None or lines is None:
            argv = unit_log_argv(unit, run, lines)
            return self._session.run(argv, timeout=_ASK).stdout
        shown = self._shown(service)
        began = _number(shown.get("ExecMainStartTimestampMonotonic"))
        text = self._session.run(run_log_argv(unit, lines), timeout=_ASK).stdout
        last = shown.get("InvocationID") == run
        return "\n".join(lines_of_run(text, run, began if last else None))

    def gap(self, service: str, run: str | None) -> str | None:
        unit = f"{service}.service"
        argv = ["systemctl", "show", "--property=StandardOutput", unit]
        output = _properties(self._session.run(argv, timeout=_ASK).stdout).get("StandardOutput")
        if output and not output.startswith(("journal", "syslog", "inherit")):
            return f"systemd sends what it prints to {output} ({_DEFAULT_OUTPUT})"
        began = _number(self._shown(service).get("ExecMainStartTimestampMonotonic")) or 0
        text = self._session.run(suppressed_argv(), timeout=_ASK).stdout
        dropped = suppressed(text, unit, began)
        if dropped:
            return f"journald {dropped} (`RateLimitBurst=` in journald.conf)"
        return None if self.log(service, run, lines=1) else _NOTHING_KEPT

    def kernel_log(self, service: str) -> tuple[str, ...]:
        began = _number(self._shown(service).get("ExecMainStartTimestampMonotonic"))
        if began is None:
            return ()
        text = self._session.run(kernel_log_argv(), timeout=_ASK).stdout
        return lines_since(text, began)

    def _shown(self, service: str) -> dict[str, str]:
        argv = ["systemctl", "show", f"--property={_PROPERTIES}", f"{service}.service"]
        return _properties(self._session.run(argv, timeout=_ASK).stdout)

    def _docker_is_to_know(self, unit: str, loaded: dict[str, str]) -> bool:
        """Whether the unit is to start with Docker and systemd has not read that yet: it does when
        it reads Docker's own unit, which the unit's file names."""
        text = self._session.read_file(f"{_OWN[0]}/{unit}") or b""
        docker = _WANTED_BY.search(text.decode(errors="replace"))
        return docker is not None and docker[1] not in loaded.get("WantedBy", "").split()

    def _drop_changes(self, unit: str, loaded: dict[str, str]) -> None:
        """Drop-ins of this unit alone: with them it would not be what was applied. `service.d`
        is the distribution's, for every service. `revert` reloads, so only where there are some.
        """
        paths = loaded.get("DropInPaths", "").split()
        if any(f"/{unit}.d/" in path for path in paths):
            self._run("revert", unit, timeout=_ASK)

    def _loaded(self, unit: str) -> dict[str, str]:
        """The unit as systemd has it in memory; one that is new on the disk is read now."""
        argv = ["systemctl", "show", f"--property={_LOADED}", unit]
        return _properties(self._session.run(argv, timeout=_ASK).stdout)

    def _run(self, *words: str, timeout: float) -> None:
        done = self._session.run(["systemctl", *words], timeout=timeout)
        if done.returncode != 0:
            raise self._failed(done, words)

    def _failed(self, done: Completed, words: Sequence[str]) -> HostError:
        said = (done.stderr or done.stdout).strip().splitlines()
        return HostError(
            self._host,
            f"`systemctl {' '.join(words)}` failed with status {done.returncode}"
            + (f": {said[0]}" if said else ""),
        )


def _properties(text: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)


def _number(text: str | None) -> int | None:
    return int(text) if text and _NUMBER.fullmatch(text) else None


def _outdated(loaded: dict[str, str]) -> bool:
    """Whether systemd has to read its units again before it can start this one as it is now."""
    return (
        loaded.get("LoadState") != "loaded"
        or loaded.get("NeedDaemonReload") == "yes"
        or not loaded.get("UnitFileState", "").startswith("enabled")
    )
