"""The gateways' part of a plan, made after every host's own part. Pure."""

from collections.abc import Mapping
from functools import partial

from xgen_deploy.errors import XgenError
from xgen_deploy.faults import guarded
from xgen_deploy.frozen import replace
from xgen_deploy.gateway.resolve import NoGateway, gateway_warnings, resolve_gateway
from xgen_deploy.plan.diff import flat
from xgen_deploy.plan.gateway_drift import gateway_drift
from xgen_deploy.plan.gateway_routes import gather, kept_routes, served_models
from xgen_deploy.plan.host_plan import refused_plan
from xgen_deploy.render.templates import Templates
from xgen_deploy.resolve.gateway_needs import is_gateway_host
from xgen_deploy.state.endpoint import Endpoint
from xgen_deploy.state.gateway import GATEWAY, GatewayRecord, GatewaySpec
from xgen_deploy.state.observation import Observation, records_of
from xgen_deploy.state.plan import FieldDiff, HostPlan, Kind, Operation
from xgen_deploy.state.record import Record
from xgen_deploy.state.routes import Routes, build_routes
from xgen_deploy.state.site import Site
from xgen_deploy.state.stopped import Stopped


def with_gateways(
    site: Site,
    plans: Mapping[str, HostPlan],
    observations: Mapping[str, Observation],
    new_secrets: Mapping[str, bool | None],
    templates: Templates,
) -> dict[str, HostPlan]:
    """The plans with an operation for each gateway that changes, after the host's own.
    `new_secrets`: by host, whether the value of one of its gateway's is another one now; None
    where nobody has compared them.
    """
    records = records_of(observations)
    changed = dict(plans)
    for name, observation in observations.items():
        if name in records and name in plans:
            new = new_secrets.get(name)
            plan = guarded(name, partial(_host, site, plans, records, observation, new, templates))
            if isinstance(plan, XgenError):
                refusals = plans[name].refusals + refused_plan(name, plan).refusals
                plan = replace(plans[name], refusals=refusals)
            changed[name] = plan
    return changed


def gateway_of(plan: HostPlan, record: Record) -> GatewaySpec | None:
    """The gateway that a host has once the plan is carried out."""
    planned = [o for o in plan.operations if o.name == GATEWAY]
    if planned:
        return planned[0].gateway
    return record.gateway.spec if record.gateway else None


def routes_for(
    site: Site,
    gateway_host: str,
    plans: Mapping[str, HostPlan],
    records: Mapping[str, Record],
    extra: tuple[Endpoint, ...] = (),
) -> Routes:
    """The routes of the gateway on a host. Without `plans`: as the records are right now.
    `extra` are servers beside these: the new one of a pair while it replaces the old.
    """
    hosts = {**site.other_hosts, **site.hosts}
    last = records[gateway_host].gateway
    kept = kept_routes(site, frozenset(records), last)
    endpoints = (*gather(site, plans, records, last), *extra)
    models = served_models(site, endpoints, kept, last)
    return build_routes(hosts[gateway_host], hosts, endpoints, models, kept)


def _host(
    site: Site,
    plans: Mapping[str, HostPlan],
    records: Mapping[str, Record],
    observation: Observation,
    new_secret: bool | None,
    templates: Templates,
) -> HostPlan:
    name = observation.host
    plan, last = plans[name], records[name].gateway
    if site.gateway is None or not is_gateway_host(site, name):
        if last is None and not _unrecorded_unit(observation):
            return plan
        return _adding(plan, _removal(site, name), first=True)
    if last is not None and last.stopped is not None:
        warning = _stays_stopped(last.stopped)
        stopped = (*plan.stopped, GATEWAY)
        return replace(plan, warnings=(*plan.warnings, warning), stopped=stopped)
    routes = routes_for(site, name, plans, records)
    warnings = plan.warnings + tuple(gateway_warnings(site.gateway, routes))
    try:
        host = site.hosts[name]
        spec = resolve_gateway(
            site, site.gateway, host, observation.facts, observation.layout, routes
        )
    except NoGateway as error:
        refusals = (*plan.refusals, error.refusal)
        return replace(plan, warnings=warnings, refusals=refusals)
    plan = replace(plan, warnings=warnings)
    if new_secret is None and last is not None and spec.secrets:
        kept = (*plan.secrets_kept, GATEWAY)
        plan = replace(plan, secrets_kept=kept)
    operation = _change(name, spec, last, observation, templates, new_secret=bool(new_secret))
    return _adding(plan, operation) if operation else plan


def _stays_stopped(stopped: Stopped) -> str:
    return (
        f"the gateway stays as it is: {stopped.by} stopped it; `xgen-deploy start` starts it, "
        "the next apply then brings it up to date"
    )


def _change(
    host: str,
    spec: GatewaySpec,
    last: GatewayRecord | None,
    observation: Observation,
    templates: Templates,
    *,
    new_secret: bool,
) -> Operation | None:
    if last is None:
        cause = f"{_count(len(spec.routes), 'model')} on {_count(len(spec.servers), 'server')}"
        return _operation(host, Kind.CREATE_GATEWAY, cause, spec)
    drift = gateway_drift(last, observation, templates)
    restarts = spec.needs_restart(last.spec) or (drift is not None and drift.restarts)
    operation = _updated(host, spec, last, new_secret=new_secret, restarts=restarts)
    if drift is None:
        return operation
    if operation is None:
        operation = _operation(
            host, Kind.REPAIR_GATEWAY, drift.cause, spec, interrupts=drift.restarts
        )
        return replace(operation, diff=drift.diff, notes=drift.notes, reload=drift.reload)
    cause, diff = f"{drift.cause}; {operation.cause}", (*operation.diff, *drift.diff)
    return replace(operation, cause=cause, diff=diff, notes=drift.notes, reload=drift.reload)


def _updated(
    host: str, spec: GatewaySpec, last: GatewayRecord, *, new_secret: bool, restarts: bool
) -> Operation | None:
    how = "restart" if restarts else "reload, no interruption"
    if last.digest != spec.digest:
        if not restarts and not new_secret and spec.without_servers == last.spec.without_servers:
            how = "no interruption"
        diff = _diff(last.spec, spec)
        changed = [f"changed: {', '.join(d.path for d in diff)}"] if diff else []
        cause = "; ".join([*_moved(last.spec, spec), *changed, how])
        operation = _operation(host, Kind.UPDATE_GATEWAY, cause, spec, interrupts=restarts)
        return replace(operation, notes=(cause,) if diff else (), diff=diff)
    if not new_secret:
        return None
    cause = f"the value of a secret changed; {how}"
    return _operation(host, Kind.UPDATE_GATEWAY, cause, spec, interrupts=restarts)


def _moved(before: GatewaySpec, after: GatewaySpec) -> list[str]:
    """`+1 server, -2 servers`; what else differs in the routes is named by its model."""
    old = {(r.pool, s.name): s for r in before.routes for s in r.servers}
    new = {(r.pool, s.name): s for r in after.routes for s in r.servers}
    more, less = len(new.keys() - old.keys()), len(old.keys() - new.keys())
    parts = [f"+{_count(more, 'server')}"] if more else []
    parts += [f"-{_count(less, 'server')}"] if less else []
    other = [k for k in old.keys() & new.keys() if old[k] != new[k]]
    parts += [f"{_count(len(other), 'server')} changed"] if other else []
    alone = sum(new[k].slots == 1 < old[k].slots for k in other)
    parts += [f"{alone} of them asked one request at a time now"] if alone else []
    if not parts and before.routes != after.routes:
        parts = ["routes changed"]
    return [", ".join(parts)] if parts else []


def _diff(before: GatewaySpec, after: GatewaySpec) -> tuple[FieldDiff, ...]:
    """The fields that changed, except the routes."""
    old, new = _settings(before), _settings(after)
    return tuple(
        FieldDiff(path=path, before=old.get(path), after=new.get(path))
        for path in sorted(old.keys() | new.keys())
        if old.get(path) != new.get(path)
    )


def _settings(spec: GatewaySpec) -> dict[str, object]:
    hidden = {"routes", "spec_version", "docker_cli", "clients"}
    settings = spec.model_dump(mode="json", exclude=hidden, exclude_none=True)
    clients = {c.name: c.model_dump(mode="json", exclude_none=True) for c in spec.clients}
    return flat(settings | ({"clients": clients} if clients else {}))


def _unrecorded_unit(observation: Observation) -> bool:
    """A unit that an apply wrote and did not get to record."""
    unit = observation.facts.service(observation.layout.service(GATEWAY))
    return unit is not None and unit.sha256 is not None


def _removal(site: Site, host: str) -> Operation:
    cause = "no longer in the manifest" if site.declared else "the project is removed"
    return Operation(
        id=f"{host}/{GATEWAY}",
        host=host,
        name=GATEWAY,
        kind=Kind.REMOVE_GATEWAY,
        cause=cause,
        interrupts=True,
    )


def _operation(
    host: str, kind: Kind, cause: str, spec: GatewaySpec, *, interrupts: bool = False
) -> Operation:
    return Operation(
        id=f"{host}/{GATEWAY}",
        host=host,
        name=GATEWAY,
        kind=kind,
        cause=cause,
        interrupts=interrupts,
        gateway=spec,
    )


def _adding(plan: HostPlan, operation: Operation, *, first: bool = False) -> HostPlan:
    own = plan.operations
    operations = (operation, *own) if first else (*own, operation)
    return replace(plan, operations=operations)


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s'[: number != 1]}"
