"""Whether the timer that looks after a host's engines does so: pure."""

from typing import Literal

from xgen_deploy.backends.registry import backend_named
from xgen_deploy.frozen import Frozen
from xgen_deploy.render.watchdog import usable
from xgen_deploy.state.facts import HostFacts, WatchdogFacts
from xgen_deploy.state.layout import Layout
from xgen_deploy.state.record import Record

# A look ends within 10 minutes, and the next begins one after it.
_LATE = 15 * 60.0
_CANNOT_EXECUTE = 203


class WatchdogStatus(Frozen):
    """`reason` where it is not running."""

    state: Literal["running", "failed", "stopped", "absent"]
    reason: str | None = None


def watchdog_status(facts: HostFacts, record: Record, layout: Layout) -> WatchdogStatus | None:
    """None where it is not known, and where there is nothing to look after."""
    watched = any(
        last.stopped is None and backend_named(last.spec.backend) is not None
        for last in record.instances.values()
    )
    if facts.watchdog is None or layout.process_dir is not None or not watched:
        return None
    return _status(facts.watchdog, facts, layout.heal)


def _status(found: WatchdogFacts, facts: HostFacts, name: str) -> WatchdogStatus:
    if not usable(facts.python_path):
        return WatchdogStatus(state="absent", reason="the host has no Python 3.8 or newer for it")
    if found.timer is None:
        reason = "its timer is gone; the next apply that changes this host puts it back"
        return WatchdogStatus(state="absent", reason=reason)
    if found.timer != "active":
        reason = f"its timer is {found.timer}; `systemctl start {name}.timer` on the host starts it"
        return WatchdogStatus(state="stopped", reason=reason)
    if found.result not in (None, "success"):
        how = f"{found.result}, exit status {found.exit_status or 0}"
        if found.exit_status == _CANNOT_EXECUTE:
            how = "its interpreter could not be started"
        reason = f"its last look failed ({how}); `journalctl -u {name}` on the host tells why"
        return WatchdogStatus(state="failed", reason=reason)
    idle = found.state == "inactive"
    if idle and found.last_run is not None and facts.now - found.last_run > _LATE:
        minutes = round((facts.now - found.last_run) / 60)
        return WatchdogStatus(state="failed", reason=f"it last looked {minutes} minutes ago")
    if not found.enabled:
        reason = (
            f"its timer is disabled: it would not start at boot; `systemctl enable {name}.timer`"
        )
        return WatchdogStatus(state="stopped", reason=reason)
    return WatchdogStatus(state="running")
