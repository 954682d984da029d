"""Drift: whether what runs is still what was applied, and if not, why. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from xgen_deploy.backends.log_errors import complaint
from xgen_deploy.plan.file_drift import FileDrift, file_drift
from xgen_deploy.render.delivered import secret_files
from xgen_deploy.render.rendered import Rendered
from xgen_deploy.state.exit_status import exit_words
from xgen_deploy.state.facts import ContainerFacts, HostFacts, ServiceFacts
from xgen_deploy.state.layout import SECOND, Layout
from xgen_deploy.state.ownership import ours
from xgen_deploy.state.record import InstanceRecord, Record

_OFTEN = 2
INACTIVE = "it was stopped by hand, or exited"


@dataclass(frozen=True)
class Drift:
    """`cause` is all that differs, as a clause, `files` what of it lies in files. `proven`: what
    runs is what was applied, so that putting the files right is enough. `serves`: requests reach
    what runs there. `started_since`: it may run with what was edited.
    """

    cause: str
    files: tuple[FileDrift, ...] = ()
    proven: bool = False
    serves: bool = False
    started_since: bool = False


def drift_of(
    name: str,
    record: InstanceRecord,
    facts: HostFacts,
    layout: Layout,
    rendered: Rendered | None = None,
) -> Drift | None:
    """None where all is as applied. `rendered` as in `file_drift`."""
    service = layout.service(f"{name}{record.slot}")
    unit, box = facts.service(service), facts.docker.container(service)
    definition = layout.definition(f"{name}{record.slot}")
    secrets = secret_files(record.spec, layout, f"{name}{record.slot}").values()
    files = tuple(file_drift(definition, unit, record.files, facts, rendered, secrets))
    present = frozenset[str]().union(*(g.names for g in facts.gpu.gpus))
    lost = [g for g in record.spec.gpus if g not in present]
    gpus = [f"GPU {lost[0]}, on which it was applied, is missing"] if lost else []
    process = process_drift(unit) or _container_drift(box, record)
    causes = [*gpus, *(f.clause for f in files), *([process] if process else [])]
    if not causes:
        return None
    contained = record.spec.runtime == "docker"
    return Drift(
        cause="; ".join(causes),
        files=files,
        proven=not gpus and process is None and is_proven(files, unit, record.invocation),
        started_since=started_since(files, unit, record.invocation),
        serves=runs(unit) and (not contained or (box is not None and box.state == "running")),
    )


def is_proven(
    files: Iterable[FileDrift], unit: ServiceFacts | None, invocation: str | None
) -> bool:
    """Whether what runs is what was applied, whatever its files say now: nothing that it read says
    something else, or it is the start that passed its gate (`invocation`)."""
    drifts = tuple(files)
    return not any(f.secret for f in drifts) and not started_since(drifts, unit, invocation)


def started_since(
    files: Iterable[FileDrift], unit: ServiceFacts | None, invocation: str | None
) -> bool:
    """Whether it may have read what its files say now. A program is known by its process."""
    if not any(f.content for f in files):
        return False
    return invocation is None or unit is None or invocation != _start(unit)


def _start(unit: ServiceFacts) -> str:
    return unit.invocation or str(unit.pid)


def process_drift(service: ServiceFacts | None) -> str | None:
    """What is wrong with what a unit or program runs."""
    if service is None:
        return None  # its definition is missing
    if service.state == "failed":
        return f"it failed: {exit_words(service.result, service.exit_status)}"
    if service.state == "inactive":
        return INACTIVE
    return crash_loop_clause(service) if is_crash_looping(service) else None


def runs(service: ServiceFacts | None) -> bool:
    return service is not None and service.state in ("active", "reloading")


def is_up(service: ServiceFacts | None) -> bool:
    """It runs, or systemd is about to start it."""
    return runs(service) or (service is not None and service.state == "activating")


def is_crash_looping(service: ServiceFacts) -> bool:
    """Between an exit and the next start, again; systemd handles the first time."""
    if not pausing(service):
        return False
    return service.restarts is None or service.restarts >= _OFTEN


def pausing(service: ServiceFacts) -> bool:
    """Between an end and the next start; an older systemd waits in commands after the end, and a
    GPU that is not there keeps it before the start (see render/unit_commands.py)."""
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


def _container_drift(box: ContainerFacts | None, record: InstanceRecord) -> str | None:
    if record.spec.runtime != "docker":
        return None
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
