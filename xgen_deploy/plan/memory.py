"""What a plan's creates and updates take of memory: forecast, held against what there is, and told.
Pure. A plan that changes no spec makes no forecast.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import partial

from xgen_deploy.backends.forecasting import forecast_after, forecasting_for
from xgen_deploy.errors import XgenError
from xgen_deploy.faults import guarded
from xgen_deploy.frozen import replace
from xgen_deploy.plan.balance import balances
from xgen_deploy.plan.host_plan import refused_plan
from xgen_deploy.plan.left_for import left_for
from xgen_deploy.plan.memory_warnings import memory_warnings
from xgen_deploy.plan.unfit import Judging, unfit
from xgen_deploy.resolve.gpus import unreserved
from xgen_deploy.resolve.room import rooms
from xgen_deploy.resolve.ways_out import Unfitting, WayOut, hint_of, ways_out
from xgen_deploy.state.gpu import GPUInfo
from xgen_deploy.state.host import Host
from xgen_deploy.state.instance import Instance, Refusal
from xgen_deploy.state.observation import Observation
from xgen_deploy.state.plan import HostPlan, Kind, Operation
from xgen_deploy.state.site import Site

_NOTES = {
    "warn": "fit: warn: want of memory is no reason to refuse it",
    "off": "fit: off: what it takes of memory is not forecast",
}
_JUDGED = frozenset({Kind.CREATE, Kind.UPDATE})


def with_memory(
    site: Site,
    plans: Mapping[str, HostPlan],
    observations: Mapping[str, Observation],
    *,
    refuses: bool = True,
) -> dict[str, HostPlan]:
    """The plans with forecasts, and with each GPU's balance; without what cannot fit, which is
    refused, or warned of where the plan `refuses` nothing."""
    told: dict[str, HostPlan] = {}
    for name, plan in plans.items():
        if name not in observations or not any(o.kind in _JUDGED for o in plan.operations):
            told[name] = plan
            continue
        host_plan = guarded(
            name, partial(_host, site.hosts[name], plan, observations[name], refuses)
        )
        told[name] = (
            refused_plan(name, host_plan) if isinstance(host_plan, XgenError) else host_plan
        )
    return told


def _host(host: Host, plan: HostPlan, observation: Observation, refuses: bool) -> HostPlan:
    facts, record = observation.facts, observation.record
    if record is None:
        return plan
    plan = replace(plan, operations=tuple(_forecast(o, observation) for o in plan.operations))
    changed = [o.instance for o in plan.operations if o.kind in _JUDGED and o.instance is not None]
    adopted = {i.name: i.adopts.cgroup for i in changed if i.adopts is not None}
    seen = rooms(facts, record, observation.layout, host, adopted)
    leaving = {o.name for o in plan.operations if o.kind is Kind.REMOVE}
    judging = Judging(
        facts=facts,
        record=record,
        rooms=seen,
        changed=changed,
        leaving=leaving,
        refuses=refuses,
    )
    reasons = unfit(judging)
    fitting = [i for i in changed if i.name not in reasons]
    memory = balances(facts, record, seen, fitting, leaving)
    refusals = tuple(_refusals(judging, reasons, host))
    return replace(
        plan,
        operations=tuple(_without(plan.operations, reasons.keys())),
        refusals=plan.refusals + refusals,
        warnings=(*plan.warnings, *memory_warnings(judging, memory, reasons)),
        memory=memory if any(m.told for m in memory) else (),
    )


def _forecast(operation: Operation, observation: Observation) -> Operation:
    instance = operation.instance
    if operation.kind not in _JUDGED or instance is None:
        return operation
    note = _NOTES.get(instance.declared.fit)
    notes = (*operation.notes, note) if note is not None else operation.notes
    record = observation.record
    last = record.instances.get(instance.name) if record is not None else None
    files, off = observation.facts.models, instance.declared.fit == "off"
    told = None if off else forecast_after(instance, files, last)
    return replace(operation, instance=replace(instance, forecast=told), notes=notes)


def _without(operations: Collection[Operation], names: Collection[str]) -> Iterator[Operation]:
    """Nor does anything wait for what is not done."""
    ids = {o.id for o in operations if o.name in names}
    for operation in operations:
        if operation.id not in ids:
            needs = tuple(n for n in operation.needs if n not in ids)
            yield replace(operation, needs=needs)


def _refusals(judging: Judging, reasons: Mapping[str, str], host: Host) -> Iterator[Refusal]:
    """With ways out that hold together: what one would take of another GPU is no other's."""
    taken: Counter[str] = Counter()
    for instance in judging.changed:
        if instance.name in reasons:
            ways = _ways_out(judging, instance, host, reasons, taken)
            yield _refusal(instance, reasons[instance.name], ways)
            for way in ways:
                taken.update(way.takes)


def _refusal(instance: Instance, reason: str, ways: Sequence[WayOut]) -> Refusal:
    marks, told = instance.declared.marks, instance.forecast
    starts_well = told is None or not (told.fails or told.on_cpu)
    hint = hint_of(ways) if starts_well else hint_of(ways, would="do")
    return Refusal(
        host=instance.host,
        instance=instance.name,
        reason=reason,
        hint=hint,
        mark=marks.get("n_gpu_layers") or marks.get("gpus") or marks.get(""),
    )


def _ways_out(
    judging: Judging,
    instance: Instance,
    host: Host,
    refused: Collection[str],
    taken: Mapping[str, int],
) -> tuple[WayOut, ...]:
    told = instance.forecast
    if told is not None and told.fails is not None:
        return tuple(map(WayOut, told.ways_out))
    asked = forecasting_for(instance, judging.facts.models)
    if asked is None:
        return ()
    free = left_for(judging, instance, refused)
    cards, chosen = judging.facts.gpu, instance.declared.chosen
    own = {gpu.identity for gpu in instance.gpus}
    memory, shared = judging.rooms.memory_beside(instance.gpus)
    kinds = {gpu.gpu_type for gpu in instance.gpus}
    unfitting = Unfitting(
        forecasting=asked,
        spec=instance.spec,
        gpus=tuple((gpu, free.get(gpu.identity, 0)) for gpu in instance.gpus),
        elsewhere=tuple(
            (gpu, _less(free.get(gpu.identity, 0), gpu, judging, taken))
            for gpu in unreserved(cards.devices, cards.gpus, host)
            if gpu.identity not in own and gpu.gpu_type in kinds
        ),
        blocks=instance.total_layers,
        split_stated=chosen is None or chosen.tensor_split is None,
        host=memory,
        shared=shared,
        on_cpu=told is not None and told.on_cpu is not None,
    )
    return ways_out(unfitting)


def _less(free: int, gpu: GPUInfo, judging: Judging, taken: Mapping[str, int]) -> int:
    """Beside what another way out would bring there."""
    size = taken.get(gpu.identity, 0)
    return max(0, free - size - judging.rooms.of(gpu).driver) if size else free
