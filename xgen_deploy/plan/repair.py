"""How drift is repaired: a change like any other, or, where what runs is what was applied, its
files alone. Pure.
"""

from xgen_deploy.frozen import replace
from xgen_deploy.plan.drift import Drift
from xgen_deploy.plan.file_drift import digest
from xgen_deploy.plan.hand_edits import hand_edits
from xgen_deploy.render.rendered import Rendered
from xgen_deploy.state.facts import HostFacts
from xgen_deploy.state.plan import Kind, Operation
from xgen_deploy.state.record import InstanceRecord

LEFT_ALONE = "what runs is what was applied: its files are put right, and it is left alone"
STARTED_SINCE = "it was started since it was applied, maybe with what was edited: it is replaced"
READ_LATER = (
    "systemd reads its unit at its next restart: reading it now could take the GPUs from running "
    "containers"
)


def repaired(
    operation: Operation,
    drift: Drift,
    rendered: Rendered,
    last: InstanceRecord,
    facts: HostFacts,
) -> Operation:
    """The `operation` of an instance that drifted; its strategy is decided with those of updates
    (see strategy.py). `rendered` are its files as they are to be."""
    diff = hand_edits(drift.files, rendered, last.files, facts.edited)
    operation = replace(operation, cause=drift.cause, diff=diff)
    if drift.proven and can_be_written(drift, rendered, last.files):
        reload = reload_is_safe(facts)
        later = any(f.content for f in drift.files) and not reload
        notes = (LEFT_ALONE, *((READ_LATER,) if later else ()), *operation.notes)
        return replace(operation, kind=Kind.RESTORE_FILES, reload=reload, notes=notes)
    if not drift.serves:
        return replace(operation, kind=Kind.REPAIR)
    notes = (*((STARTED_SINCE,) if drift.started_since else ()), *operation.notes)
    return replace(operation, kind=Kind.REPAIR, strategy="stop-first", interrupts=True, notes=notes)


def can_be_written(drift: Drift, rendered: Rendered, written: dict[str, str]) -> bool:
    """Whether this version writes every file whose content differs as it was written before."""
    now = {f.path: digest(f) for f in (*rendered.files, rendered.definition)}
    differing = [f.path for f in drift.files if f.content and f.path in written]
    return all(now.get(path) == written[path] for path in differing)


def reload_is_safe(facts: HostFacts) -> bool:
    """Whether no container can lose its GPUs when systemd reads its units again, as one can that
    was given them by a device request rather than by CDI or device files."""
    if facts.docker.state == "absent":
        return True
    running = (box for box in facts.docker.containers if box.state == "running")
    return facts.docker.state == "ok" and not any(box.gpu_request for box in running)
