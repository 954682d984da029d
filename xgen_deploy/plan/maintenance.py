"""`stop`, `start` and `restart` as plans: what was applied, as it was applied. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Literal

from xgen_deploy.errors import XgenError
from xgen_deploy.faults import guarded
from xgen_deploy.frozen import replace
from xgen_deploy.plan.concurrency import in_turn
from xgen_deploy.plan.drift import is_up
from xgen_deploy.plan.fingerprint import host_parts
from xgen_deploy.plan.gateway_maintenance import with_gateway_maintenance
from xgen_deploy.plan.headlines import host_headline
from xgen_deploy.plan.host_plan import locked_warning, refused_plan
from xgen_deploy.plan.out_of_service import cordon_of, named
from xgen_deploy.plan.rollout import batches, in_batches
from xgen_deploy.resolve.gateway_needs import fallbacks
from xgen_deploy.state.facts import HostFacts, ServiceFacts
from xgen_deploy.state.gateway import GATEWAY
from xgen_deploy.state.instance import Engine, Instance, Refusal
from xgen_deploy.state.instance_config import InstanceConfig
from xgen_deploy.state.layout import Layout
from xgen_deploy.state.lock import lock_status
from xgen_deploy.state.plan import HostPlan, Kind, Operation
from xgen_deploy.state.record import InstanceRecord, Record
from xgen_deploy.state.site import Site

Maintaining = Literal["stop", "start", "restart"]
MAINTENANCE: tuple[Maintaining, ...] = ("stop", "start", "restart")


@dataclass(frozen=True)
class Request:
    """The action, and the instances (and the gateway) to do it to, by host."""

    action: Maintaining
    instances: Mapping[str, tuple[str, ...]]


def maintenance(
    site: Site,
    request: Request,
    facts: Mapping[str, HostFacts],
    records: Mapping[str, Record],
    layouts: Mapping[str, Layout],
) -> dict[str, HostPlan]:
    """By host, of those that were seen; replicas of a model are restarted batch by batch."""
    plans = {}
    for name, record in records.items():
        making = partial(_host, site, request, name, facts[name], record, layouts[name])
        host_plan = guarded(name, making)
        plans[name] = (
            refused_plan(name, host_plan) if isinstance(host_plan, XgenError) else host_plan
        )
    plans = in_turn(in_batches(plans, kinds=frozenset({Kind.RESTART})))
    going = [o for p in plans.values() for o in p.operations]
    return {name: _judged(site, plan, going, records) for name, plan in plans.items()}


def _host(
    site: Site, request: Request, host: str, facts: HostFacts, record: Record, layout: Layout
) -> HostPlan:
    operations, unchanged, refusals, warnings = [], [], [], []
    names = request.instances.get(host, ())
    for name in names:
        if name == GATEWAY:
            continue
        last = record.instances.get(name)
        refused = _refused(request.action, name, record, facts, layout)
        if last is None or refused is not None:
            refusals.append(Refusal(host=host, instance=name, reason=refused or "never applied"))
        elif request.action != "stop" and (cordon := cordon_of(last, record)):
            unchanged.append(name)
            ends = f"`xgen-deploy uncordon MANIFEST {named(cordon, host)}` ends that"
            warnings.append(f"{name} is left as it is: {cordon.clause}; {ends}")
        elif why := _nothing_to_do(request.action, last, _service(facts, record, name, layout)):
            unchanged.append(name)
            warnings.append(f"{name} {why}")
        else:
            instance = recorded_instance(site, host, name, last, facts)
            operations.append(_operation(request.action, instance, last))
    plan = HostPlan(
        host=host,
        headline=host_headline(facts),
        operations=tuple(operations),
        unchanged=tuple(unchanged),
        refusals=tuple(refusals),
        warnings=(*locked_warning(facts), *warnings),
        parts=host_parts(site, facts, record, host),
    )
    if GATEWAY not in names:
        return plan
    service = facts.service(layout.service(GATEWAY))
    return with_gateway_maintenance(plan, request.action, record.gateway, service)


def _refused(
    action: Maintaining, name: str, record: Record, facts: HostFacts, layout: Layout
) -> str | None:
    """Why the action is refused; None where not. Only a version that passed its gate is started."""
    last = record.instances.get(name)
    if last is None:
        return "never applied on this host; run `xgen-deploy apply`"
    lock = lock_status(facts.lock)
    if name in record.pending and lock is not None and lock.pid is not None:
        return f"it is being changed right now ({lock.line}); try again when that has ended"
    if name in record.pending:
        return "an earlier apply began to change it and did not finish; run `xgen-deploy apply`"
    if action == "stop":
        return None
    path = layout.definition(record.name_on_host(name))
    service = _service(facts, record, name, layout)
    if service is None or service.sha256 is None:
        return f"{path} is missing; `xgen-deploy apply` restores it"
    if service.sha256 != last.files.get(path):
        return f"{path} was edited by hand; `xgen-deploy apply` repairs it"
    return None


def _service(facts: HostFacts, record: Record, name: str, layout: Layout) -> ServiceFacts | None:
    return facts.service(layout.service(record.name_on_host(name)))


def _nothing_to_do(
    action: Maintaining, last: InstanceRecord, service: ServiceFacts | None
) -> str | None:
    if action == "stop" and last.stopped is not None and not is_up(service):
        return f"is already stopped, by {last.stopped.by}"
    if action == "restart" and last.stopped is not None:
        return f"stays stopped: {last.stopped.by} stopped it; `xgen-deploy start` starts it"
    if action == "start" and last.stopped is None and service and service.state == "active":
        return "is already running"
    return None


def recorded_instance(
    site: Site, host: str, name: str, last: InstanceRecord, facts: HostFacts
) -> Instance:
    """An instance as its host recorded it; how long things may take is the manifest's to say."""
    spec = last.spec
    declared = next((d for d in site.on(host) if d.name == name), None)
    known = {n: g for g in facts.gpu.devices for n in g.names}
    gpus = tuple(known[g] for g in spec.gpus if g in known)
    return Instance(
        host=host,
        project=site.project,
        name=name,
        declared=declared
        or InstanceConfig(
            host=host, name=name, model=spec.model, source=spec.source, ports=(spec.port, spec.port)
        ),
        spec=spec,
        engine=Engine(backend=spec.backend, state=spec.engine_state),
        gpus=gpus,
        total_layers=last.report.total_layers if last.report else None,
        software_gpu=any(g.software for g in gpus),
        slot=last.slot,
    )


def _operation(action: Maintaining, instance: Instance, last: InstanceRecord) -> Operation:
    causes = {
        "stop": "maintenance: it stays stopped until `xgen-deploy start`",
        "start": f"it was stopped by {last.stopped.by}" if last.stopped else "it is not running",
        "restart": "restart of the same version",
    }
    return Operation(
        id=f"{instance.host}/{instance.name}",
        host=instance.host,
        name=instance.name,
        kind=Kind(action),
        cause=causes[action],
        seconds=last.ready_seconds if action == "restart" else None,
        instance=instance,
    )


def _judged(
    site: Site, plan: HostPlan, going: list[Operation], records: Mapping[str, Record]
) -> HostPlan:
    """The plan, with what each operation interrupts."""
    operations = []
    for operation in plan.operations:
        if operation.kind in (Kind.STOP, Kind.RESTART):
            note, interrupts = _meanwhile(site, operation, going, records)
            operations.append(replace(operation, interrupts=interrupts, notes=(note,)))
        else:
            operations.append(operation)
    return replace(plan, operations=tuple(operations))


def _meanwhile(
    site: Site, operation: Operation, going: list[Operation], records: Mapping[str, Record]
) -> tuple[str, bool]:
    """Who takes its requests while it is away, as a clause; and whether nobody does."""
    gateways = [g for r in records.values() if (g := r.gateway) and g.stopped is None]
    if not any(
        (s.host, s.instance) == (operation.host, operation.name)
        for gateway in gateways
        for s in gateway.spec.servers
    ):
        return "no observed gateway sends it requests: those sent to it fail meanwhile", True
    model = _model(operation)
    away = {o.id for o in _away_with(operation, [o for o in going if _model(o) == model])}
    others = [o for o in _running(model, records) if o not in away]
    if others:
        return f"{', '.join(others[:3])} takes its requests meanwhile", False
    for other in fallbacks(site).get(model, ()):
        if any(o not in {g.id for g in going} for o in _running(other, records)):
            return f"the gateway sends its requests to the fallback {other} meanwhile", False
    return "its requests fail meanwhile: no other instance or fallback takes them", True


def _away_with(operation: Operation, alike: list[Operation]) -> list[Operation]:
    """Operations on the same model that are carried out at the same time."""
    if operation.kind is not Kind.RESTART:
        return alike
    return next(
        (batch for batch in batches(alike) if operation.id in {o.id for o in batch}), [operation]
    )


def _running(model: str, records: Mapping[str, Record]) -> Iterator[str]:
    for host, record in records.items():
        for name, last in record.instances.items():
            if last.spec.model == model and last.stopped is None:
                yield f"{host}/{name}"


def _model(operation: Operation) -> str:
    return operation.instance.spec.model if operation.instance else ""
