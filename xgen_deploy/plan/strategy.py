"""How an update happens, once every host was looked at: the new one first, or the old one stopped
first. Pure.

Starting first needs a gateway that moves the requests over, a second port, and room for both at
once; how much the new one takes is judged by its forecast, else by what the engine reported of
the one that runs.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import partial
from itertools import chain

from xgen_deploy.backends.registry import backend_named
from xgen_deploy.errors import XgenError
from xgen_deploy.faults import guarded
from xgen_deploy.frozen import replace
from xgen_deploy.plan.host_plan import refused_plan
from xgen_deploy.plan.memory_text import gib
from xgen_deploy.resolve.memory_shares import share_of
from xgen_deploy.state.facts import HostFacts
from xgen_deploy.state.forecast import Forecast
from xgen_deploy.state.instance import Instance, Refusal, Spec
from xgen_deploy.state.layout import SECOND
from xgen_deploy.state.load_report import LoadReport
from xgen_deploy.state.memory import GPUMemory
from xgen_deploy.state.plan import HostPlan, Operation
from xgen_deploy.state.record import InstanceRecord, Record
from xgen_deploy.state.site import Site

# What an engine takes besides the buffers that it reports: its code, the driver's context.
_BESIDE_MIB = 300.0
_MIB = 1 << 20


def with_strategies(
    site: Site,
    plans: Mapping[str, HostPlan],
    facts: Mapping[str, HostFacts],
    records: Mapping[str, Record],
) -> dict[str, HostPlan]:
    """The plans with the strategy of every update decided, and of every repair of what serves; one
    that was stated and cannot be is a refusal. `facts` and `records` are of the hosts that were
    seen.
    """
    decided: dict[str, HostPlan] = {}
    for name, plan in plans.items():
        host_plan = guarded(name, partial(_host, site, plan, facts.get(name), records))
        decided[name] = (
            refused_plan(name, host_plan) if isinstance(host_plan, XgenError) else host_plan
        )
    return decided


def _host(
    site: Site, plan: HostPlan, facts: HostFacts | None, records: Mapping[str, Record]
) -> HostPlan:
    operations, refusals = [], list(plan.refusals)
    record = records.get(plan.host)
    for operation in plan.operations:
        last = record.instances.get(operation.name) if record else None
        if (
            operation.strategy is None
            or operation.instance is None
            or last is None
            or facts is None
        ):
            operations.append(operation)
            continue
        obstacle = _no_switch(site, operation.instance, records)
        obstacle = obstacle or _no_room(operation.instance, last, facts, plan.memory)
        refusals += _impossible(operation.instance, obstacle)
        operations.append(_decided(operation, operation.instance, obstacle))
    return replace(plan, operations=tuple(operations), refusals=tuple(refusals))


def _decided(operation: Operation, instance: Instance, obstacle: str | None) -> Operation:
    if instance.declared.update.strategy == "stop-first":
        obstacle = "the manifest says so"
    port = instance.spare_port
    if obstacle is not None or port is None:
        return replace(operation, strategy="stop-first", why=obstacle)
    moved = replace(
        instance,
        spec=replace(instance.spec, port=port),
        slot="" if instance.slot else SECOND,
        spare_port=instance.spec.port,
    )
    return replace(
        operation,
        strategy="start-first",
        interrupts=False,
        instance=moved,
        why=f"the gateway moves its requests from port {instance.spec.port} to {port}",
    )


def _impossible(instance: Instance, obstacle: str | None) -> Iterator[Refusal]:
    if instance.declared.update.strategy == "start-first" and obstacle is not None:
        yield Refusal(
            host=instance.host,
            instance=instance.name,
            reason=f"update.strategy is start-first, which is not possible: {obstacle}",
            hint="Make room, or write `strategy: auto`.",
            mark=instance.declared.marks.get("update.strategy"),
        )


def _no_switch(site: Site, instance: Instance, records: Mapping[str, Record]) -> str | None:
    """Why the gateways cannot move its requests over; None where every gateway can."""
    if site.gateway is None:
        return "there is no gateway to move its requests"
    for gateway_host in site.gateway.hosts or ():
        if gateway_host not in records:
            return f"the gateway on {gateway_host} was not observed"
        last = records[gateway_host].gateway
        if last is None:
            return f"the gateway on {gateway_host} is not running yet"
        if (instance.host, instance.name) not in {(s.host, s.instance) for s in last.spec.servers}:
            return f"the gateway on {gateway_host} sends it no requests"
    return None


def _no_room(
    instance: Instance, last: InstanceRecord, facts: HostFacts, memory: tuple[GPUMemory, ...]
) -> str | None:
    """Why the new one cannot run beside the old one; None where it can."""
    if instance.declared.port is not None:
        return f"its port is fixed ({instance.declared.port})"
    if instance.spare_port is None:
        low, high = instance.declared.ports
        return f"no second port of {low}-{high} is free"
    if not instance.gpus or instance.software_gpu:
        needed = _forecast_mib(instance.forecast)
        needed = needed or needed_mib(last.report, None, _growth(instance, last))
        return _too_little("the host", needed, facts.memory_available_mb)
    if instance.forecast is not None and not share_of(instance.spec):
        return _no_room_beside_itself(instance.name, memory)
    for gpu in instance.gpus:
        share = share_of(instance.spec)
        needed = share * (gpu.given_mb or 0) if share else None
        if not share:
            needed = needed_mib(last.report, len(instance.gpus), _growth(instance, last))
        short = _too_little(f"GPU {gpu.index}", needed, gpu.memory_free_mb)
        if short is not None:
            return short
    return None


def _forecast_mib(told: Forecast | None) -> float | None:
    """Of the host's memory, on which software devices are too."""
    if told is None:
        return None
    return (told.host.total + sum(need.total for need in told.devices)) / _MIB + _BESIDE_MIB


def _no_room_beside_itself(name: str, memory: tuple[GPUMemory, ...]) -> str | None:
    """By the forecast, and by all that the plan brings to its GPUs."""
    for each in memory:
        taker = next((t for t in each.takers if t.instance == name and t.changes), None)
        if taker is None or taker.bytes is None:
            continue
        where = f"GPU {each.label}"
        if each.left is None or each.others is None:
            return f"the free memory of {where} cannot be measured"
        needed = taker.bytes + each.driver
        free = each.left + taker.bytes - taker.before
        if needed > free:
            return f"needs {gib(needed)} GiB on {where}, which has {gib(max(0, free))} free"
    return None


def _growth(instance: Instance, last: InstanceRecord) -> float:
    """How much larger its KV cache becomes: it grows with context times slots."""
    slots = _slots(instance.spec) / _slots(last.spec)
    return max(1.0, slots * instance.spec.n_ctx / last.spec.n_ctx)


def _slots(spec: Spec) -> int:
    backend = backend_named(spec.backend)
    return (backend.stated_slots(spec) if backend else None) or 1


def needed_mib(report: LoadReport | None, gpus: int | None, growth: float) -> float | None:
    """MiB on each of its GPUs (the fullest counts for all), or with `gpus` None in the host's
    memory; None where the engine reported nothing.
    """
    if report is None:
        return None
    loads = (report, report.draft) if report.draft else (report,)
    sizes: dict[str, float] = defaultdict(float)
    for device in chain.from_iterable(load.devices for load in loads):
        sizes[device.name] += device.model_mib + device.kv_mib * growth + device.compute_mib
    if gpus is None:
        beside = sum(sum(load.host_mib.values()) for load in loads)
        whole = sum(sizes.values()) + beside * growth
        return whole + _BESIDE_MIB if whole else None
    return max(sizes.values()) + _BESIDE_MIB if sizes else None


def _too_little(where: str, needed: float | None, free: int | None) -> str | None:
    if needed is None:
        return "its memory use is unknown"
    if free is None:
        return f"the free memory of {where} cannot be measured"
    if needed <= free:
        return None
    return f"needs {needed / 1024:.1f} GiB on {where}, which has {free / 1024:.1f} free"
