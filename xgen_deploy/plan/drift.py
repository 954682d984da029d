"""Drift: whether what runs is still what was applied, and if not, why. Pure."""

from collections.abc import Sequence

from xgen_deploy.backends.log_errors import complaint
from xgen_deploy.state.exit_status import exit_words
from xgen_deploy.state.facts import HostFacts, ServiceFacts
from xgen_deploy.state.layout import SECOND, Layout
from xgen_deploy.state.ownership import ours
from xgen_deploy.state.record import InstanceRecord, Record

_OFTEN = 2


def drift_of(name: str, record: InstanceRecord, facts: HostFacts, layout: Layout) -> str | None:
    """The first difference that matters, as a clause; None where all is as applied."""
    present = frozenset[str]().union(*(g.names for g in facts.gpu.gpus))
    missing = [g for g in record.spec.gpus if g not in present]
    if missing:
        return f"GPU {missing[0]}, on which it was applied, is missing"
    name_on_host = f"{name}{record.slot}"
    service = layout.service(name_on_host)
    unit = facts.service(service)
    path = layout.definition(name_on_host)
    if unit is None or unit.sha256 is None:
        return f"{path} is missing"
    if unit.sha256 != record.files.get(path):
        return f"{path} was edited by hand"
    return service_drift(unit) or _container_drift(service, record, facts)


def service_drift(service: ServiceFacts) -> str | None:
    """What is wrong with a unit or program whose file is as it was written."""
    if service.overridden:
        return f"drop-ins change the unit: {', '.join(service.overridden)}"
    if service.kind == "unit" and service.enabled is False:
        return "the unit is disabled: it would not start at boot"
    if service.state == "failed":
        return f"it failed: {exit_words(service.result, service.exit_status)}"
    if service.state == "inactive":
        return "it was stopped by hand, or exited"
    return crash_loop_clause(service) if is_crash_looping(service) else None


def is_crash_looping(service: ServiceFacts) -> bool:
    """Between an exit and the next start, again; systemd handles the first time."""
    if not pausing(service):
        return False
    return service.restarts is None or service.restarts >= _OFTEN


def pausing(service: ServiceFacts) -> bool:
    """Between an end and the next start; an older systemd waits in commands after the end, and a
    GPU that is not there keeps it before the start (see render/pause.py and gpu_wait.py)."""
    if service.sub_state == "start-pre":
        return bool(service.restarts)
    return service.sub_state in ("auto-restart", "auto-restart-queued", "stop-post", "backoff")


def crash_loop_clause(service: ServiceFacts, lines: Sequence[str] = ()) -> str:
    """`crash loop (3 restarts): exit status 1 (its last words)`; `lines` are of its log."""
    last_words = complaint(lines)
    count = service.restarts
    words = "crash loop" if count is None else f"crash loop ({count} restart{'s'[: count != 1]})"
    if service.result not in (None, "", "success") or service.exit_status:
        words += f": {exit_words(service.result, service.exit_status, lines)}"
    return f"{words} ({last_words})" if last_words else words


def _container_drift(service: str, record: InstanceRecord, facts: HostFacts) -> str | None:
    if record.spec.runtime != "docker":
        return None
    box = facts.docker.container(service)
    if box is None:
        return "its container is missing"
    if box.labels.get("xgen.digest") != record.digest:
        return "its container was replaced by hand"
    if record.spec.engine_state is not None and box.image_id != record.spec.engine_state:
        return "its container runs another image than was applied"
    return None if box.state == "running" else f"its container is {box.state}"


def stale_slot(
    name: str, slot: str, facts: HostFacts, record: Record, layout: Layout
) -> str | None:
    """The name on the host of the instance's other slot, where something of it is still there:
    the version before, or one that was begun and never proved.
    """
    other = name + ("" if slot else SECOND)
    service = layout.service(other)
    units = (s for s in facts.services if s.sha256 is not None or s.state == "active")
    names = {s.name.removesuffix(".service") for s in units}
    names |= {box.name for box in facts.docker.containers if ours(box, facts, record, layout)}
    return other if service in names else None
