"""Whether the watchdog of a host's engines is as an apply left it: files and timer. Pure."""

from collections.abc import Sequence

from xgen_deploy.state.facts import HostFacts
from xgen_deploy.state.layout import Layout
from xgen_deploy.state.plan import Kind, Operation


def watchdog_repair(
    host: str, paths: Sequence[str], facts: HostFacts, layout: Layout
) -> Operation | None:
    """None where it is, or has nothing to watch: `paths` are its files then. What is in them is
    not held against what this version writes: the next change on the host brings that."""
    cause = _drift(paths, facts) if paths else None
    if cause is None:
        return None
    name = f"{layout.watchdog}.timer"
    return Operation(
        id=f"{host}/{name}", host=host, name=name, kind=Kind.REPAIR_WATCHDOG, cause=cause
    )


def _drift(paths: Sequence[str], facts: HostFacts) -> str | None:
    absent = {f.path for f in facts.files if f.kind == "absent"}
    missing = [path for path in paths if path in absent]
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        return f"the watchdog's {missing[0]}{more} is missing"
    timer = facts.timer
    if timer is not None and timer.state != "active":
        return f"the watchdog's timer is {timer.state}: nobody restarts an engine that hangs"
    if timer is not None and timer.enabled is False:
        return "the watchdog's timer is disabled: it would not start at boot"
    return None
