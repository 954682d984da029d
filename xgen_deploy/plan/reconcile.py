"""Reconciles desired and observed state on one host: the operations that make them equal.

Pure, and decided by digest alone: never by comparing with a runtime's defaults or a rendered
text, so that a newer tool does not restart every model.
"""

import shlex
from collections.abc import Mapping

from xgen_deploy.frozen import replace
from xgen_deploy.plan.adoption import adopting
from xgen_deploy.plan.diff import cause_of, diff_specs
from xgen_deploy.plan.drift import drift_of, is_up, stale_slot
from xgen_deploy.plan.file_drift import is_reproducible
from xgen_deploy.plan.gpu_order import in_gpu_order
from xgen_deploy.plan.outdated import OLDER_UNIT
from xgen_deploy.plan.repair import repaired
from xgen_deploy.plan.shared_cache import shared_cache_notes
from xgen_deploy.render.rendered import Rendered
from xgen_deploy.render.unit_version import UNIT_VERSION
from xgen_deploy.resolve.host import Resolved
from xgen_deploy.state.facts import ContainerFacts, HostFacts
from xgen_deploy.state.instance import Instance
from xgen_deploy.state.layout import Layout
from xgen_deploy.state.lock import LockStatus, lock_status
from xgen_deploy.state.ownership import mislabelled_containers, orphans
from xgen_deploy.state.plan import UPDATES, HostPlan, Kind, Operation
from xgen_deploy.state.record import InstanceRecord, Record
from xgen_deploy.state.stopped import Stopped


def reconcile(
    host: str,
    resolved: Resolved,
    record: Record,
    facts: HostFacts,
    layout: Layout,
    *,
    declared: frozenset[str],
    in_scope: frozenset[str] | None = None,
    changed_secrets: frozenset[str] = frozenset(),
    clearing: bool = False,
    rendered: Mapping[str, Rendered],
    refresh: bool = False,
) -> HostPlan:
    """`declared` are the instances that the manifest names here, those that were refused too:
    these are not removed. `in_scope` None means all; else only these instances are looked at.
    `changed_secrets` are instances whose secret's value is another one now (known to apply).
    `clearing`: the whole project is being taken away. `rendered` has the files of each of the
    `resolved` instances. `refresh`: units of an older version of this tool are written anew (see
    plan/outdated.py).
    """
    operations = [
        _removal(host, name, record, layout, clearing=clearing)
        for name in sorted(
            (record.instances.keys() | record.pending.keys() | orphans(facts, record, layout))
            - declared
        )
        if in_scope is None or name in in_scope
    ]
    unchanged: list[str] = []
    stopped: list[str] = []
    left_alone: list[str] = []
    waiting: list[str] = []
    mislabelled = mislabelled_containers(facts, record, layout)
    warnings = [*resolved.warnings, *map(_left_alone, mislabelled)]
    for instance in resolved.instances:
        if in_scope is not None and instance.name not in in_scope:
            continue
        last = record.instances.get(instance.name)
        begun = instance.name in record.pending  # what was begun is finished, stopped or not
        if last is not None and last.stopped is not None and not begun:
            up = is_up(facts.service(layout.service(record.name_on_host(instance.name))))
            (left_alone if up else stopped).append(instance.name)
            if last.digest != instance.digest:
                waiting.append(instance.name)
            warnings.append(_left_stopped(instance, last, last.stopped, up=up))
            continue
        files, new_secret = rendered[instance.name], instance.name in changed_secrets
        operation = _change(instance, files, record, facts, layout, new_secret)
        if operation is None and last is not None and refresh:
            operation = _refresh(instance, last, files)
        operation = _with_stale_slot(instance, operation, facts, record, layout)
        if operation is None:
            unchanged.append(instance.name)
        else:
            operations.append(operation)
    return HostPlan(
        host=host,
        operations=in_gpu_order(operations),
        unchanged=(*unchanged, *stopped, *left_alone),
        stopped=tuple(stopped),
        left_alone=tuple(left_alone),
        waiting=tuple(waiting),
        refusals=resolved.refusals,
        warnings=tuple(warnings),
    )


def _left_alone(box: ContainerFacts) -> str:
    """The warning about a mislabelled container."""
    return (
        f"container {box.name} has this project's label but was not made by xgen-deploy: it is "
        f"left alone and keeps its port and GPU; `docker rm -f {shlex.quote(box.name)}` removes it"
    )


def _left_stopped(instance: Instance, last: InstanceRecord, stopped: Stopped, *, up: bool) -> str:
    """The warning about a stopped instance: a stop is not drift, and apply does not end it."""
    pending = "" if last.digest == instance.digest else ", with changes pending"
    if up:
        return (
            f"{instance.name} was stopped by {stopped.by} and runs all the same, without a proof"
            f"{pending}: a start was cut short, or it was started by hand; `xgen-deploy start` "
            "proves it, `stop` stops it"
        )
    return (
        f"{instance.name} was stopped by {stopped.by} and stays stopped{pending}; "
        "`xgen-deploy start` starts it"
    )


def _change(
    instance: Instance,
    rendered: Rendered,
    record: Record,
    facts: HostFacts,
    layout: Layout,
    new_secret: bool,
) -> Operation | None:
    last = record.instances.get(instance.name)
    if instance.name in record.pending:
        begun = _begun_clause(lock_status(facts.lock))
        if last is None:
            return adopting(_operation(instance, Kind.CREATE, begun, None))
        return _update(instance, last, begun)
    if last is None:
        return adopting(_operation(instance, Kind.CREATE, "not on this host yet", None))
    if last.digest != instance.digest:
        return _update(instance, last)
    if new_secret:
        return _operation(instance, Kind.UPDATE, "the value of its secret changed", last)
    drift = drift_of(instance.name, last, facts, layout, rendered)
    if drift is None:
        return None
    operation = _operation(instance, Kind.REPAIR, drift.cause, last)
    return repaired(operation, drift, rendered, last, facts)


def _update(instance: Instance, last: InstanceRecord, cause: str | None = None) -> Operation:
    """`cause` as in Operation; else what changed."""
    diff = diff_specs(last.spec, instance.spec, instance.declared.marks)
    operation = _operation(instance, Kind.UPDATE, cause or cause_of(diff), last)
    notes = (*shared_cache_notes(last, instance.spec), *operation.notes)
    return replace(operation, diff=diff, notes=notes)


def _begun_clause(lock: LockStatus | None) -> str:
    """Why something is pending."""
    if lock is not None and lock.at_work:
        return f"it is being changed right now, by {lock.owner.clause}"
    if lock is not None and lock.putting_back:
        return "an earlier apply began it and was interrupted; the host puts back what worked"
    return "an earlier apply began it and did not finish"


def _refresh(instance: Instance, last: InstanceRecord, rendered: Rendered) -> Operation | None:
    if last.unit_version >= UNIT_VERSION and is_reproducible(rendered, last.files):
        return None
    return _operation(instance, Kind.REFRESH, OLDER_UNIT, last)


def _operation(
    instance: Instance, kind: Kind, cause: str, last: InstanceRecord | None
) -> Operation:
    return Operation(
        id=f"{instance.host}/{instance.name}",
        host=instance.host,
        name=instance.name,
        kind=kind,
        cause=cause,
        strategy="stop-first" if kind in UPDATES else None,
        interrupts=kind in UPDATES,
        seconds=last.ready_seconds if last else None,
        instance=instance,
        notes=instance.notes,
    )


def _with_stale_slot(
    instance: Instance,
    operation: Operation | None,
    facts: HostFacts,
    record: Record,
    layout: Layout,
) -> Operation | None:
    """Also clears what is left in the instance's other slot: it would hold its GPU and ports."""
    stale = stale_slot(instance.name, instance.slot, facts, record, layout)
    if operation is None and stale:
        cause = f"leftover {stale}, its other slot"
        operation = _operation(instance, Kind.CLEAR_SLOT, cause, None)
    return operation and replace(operation, stale_slot=stale)


def _removal(host: str, name: str, record: Record, layout: Layout, *, clearing: bool) -> Operation:
    last = record.instances.get(name)
    known = last is not None or name in record.pending
    cause = (
        ("the project is removed" if clearing else "no longer in the manifest")
        if known
        else f"container {layout.service(name)} has this project's label, but no record has it"
    )
    return Operation(
        id=f"{host}/{name}",
        host=host,
        name=name,
        kind=Kind.REMOVE,
        cause=cause,
        interrupts=last is not None and last.stopped is None,
    )
