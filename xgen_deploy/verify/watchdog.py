"""Whether the watchdog of a host's engines works, from one observation of the host. Pure."""

from typing import Literal

from xgen_deploy.backends.registry import backend_named
from xgen_deploy.frozen import Frozen
from xgen_deploy.render.watchdog import usable
from xgen_deploy.state.facts import HostFacts, WatchdogFacts
from xgen_deploy.state.host_python import PYTHON
from xgen_deploy.state.layout import Layout
from xgen_deploy.state.record import Record

# A run ends within 10 minutes, and the next begins one minute after it.
_LATE = 15 * 60.0
_CANNOT_EXECUTE = 203


class WatchdogStatus(Frozen):
    """`reason` where it is not running."""

    state: Literal["running", "failed", "stopped", "absent"]
    reason: str | None = None


def watchdog_status(facts: HostFacts, record: Record, layout: Layout) -> WatchdogStatus | None:
    """None where it is unknown, and where there is no engine to watch."""
    watched = any(
        last.stopped is None and backend_named(last.spec.backend) is not None
        for last in record.instances.values()
    )
    if facts.watchdog is None or layout.process_dir is not None or not watched:
        return None
    return _status(facts.watchdog, facts, layout.watchdog)


def _status(watchdog: WatchdogFacts, facts: HostFacts, name: str) -> WatchdogStatus:
    if not usable(facts.python_path):
        return WatchdogStatus(state="absent", reason=f"the host has no {PYTHON} to run it")
    if watchdog.timer is None:
        reason = "its timer is missing; `xgen-deploy apply` restores it"
        return WatchdogStatus(state="absent", reason=reason)
    if watchdog.timer != "active":
        reason = f"its timer is {watchdog.timer}; `xgen-deploy apply` starts it"
        return WatchdogStatus(state="stopped", reason=reason)
    if watchdog.result not in (None, "success"):
        how = f"{watchdog.result}, exit status {watchdog.exit_status or 0}"
        if watchdog.exit_status == _CANNOT_EXECUTE:
            how = "its interpreter could not be started"
        reason = f"its last run failed ({how}); `journalctl -u {name}` on the host says why"
        return WatchdogStatus(state="failed", reason=reason)
    idle = watchdog.state == "inactive"
    if idle and watchdog.last_run is not None and facts.now - watchdog.last_run > _LATE:
        minutes = round((facts.now - watchdog.last_run) / 60)
        return WatchdogStatus(state="failed", reason=f"its last run was {minutes} minutes ago")
    if not watchdog.enabled:
        reason = "its timer is disabled and would not start at boot; `xgen-deploy apply` enables it"
        return WatchdogStatus(state="stopped", reason=reason)
    return WatchdogStatus(state="running")
