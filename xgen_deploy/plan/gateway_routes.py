"""The instances that the gateways send requests to, on every observed host. Pure."""

from collections.abc import Iterator, Mapping

from xgen_deploy.backends.endpoint import endpoint_of
from xgen_deploy.backends.registry import backend_named
from xgen_deploy.frozen import replace
from xgen_deploy.resolve.completion import completed_as
from xgen_deploy.resolve.gateway_needs import everywhere, fallbacks
from xgen_deploy.state.endpoint import Endpoint
from xgen_deploy.state.gateway import GatewayRecord
from xgen_deploy.state.instance_config import InstanceConfig
from xgen_deploy.state.plan import HostPlan, Kind
from xgen_deploy.state.record import InstanceRecord, Record
from xgen_deploy.state.routes import Route
from xgen_deploy.state.settings import ENGINE_SETTINGS
from xgen_deploy.state.site import Site


def gather(
    site: Site,
    plans: Mapping[str, HostPlan],
    records: Mapping[str, Record],
    last: GatewayRecord | None,
) -> tuple[Endpoint, ...]:
    """Every instance as its host's plan will leave it, else as its host's record has it. `records`
    are of the hosts that were seen, `last` is the gateway's own.

    What runs and the manifest does not name, or names another model for, goes on as long as it is
    there, where this gateway served it before: no host's record brings in more than that.
    """
    declared = {(d.host, d.name): d for d in everywhere(site)}
    models = {place: d.model for place, d in declared.items()}
    routed = {(r.model, s.host, s.instance) for r in _routes(last) for s in r.servers}
    places = dict.fromkeys((*models, *_recorded(records)))
    endpoints = []
    for host, name in places:
        endpoint = _planned(plans.get(host), host, name)
        entry = records[host].instances.get(name) if host in records else None
        if endpoint is None and entry is not None and not _leaves(plans.get(host), name):
            model = entry.spec.model
            if models.get((host, name)) == model or (model, host, name) in routed:
                endpoint = _as_recorded(host, name, entry, declared.get((host, name)))
        if endpoint is not None:
            endpoints.append(endpoint)
    return tuple(endpoints)


def kept_routes(site: Site, seen: frozenset[str], last: GatewayRecord | None) -> dict[str, Route]:
    """Model -> its servers on hosts that could not be observed, as in the gateway's last routes."""
    declared = {(d.host, d.name) for d in everywhere(site)}
    kept = {}
    for route in _routes(last):
        servers = tuple(
            s for s in route.servers if s.host not in seen and (s.host, s.instance) in declared
        )
        if servers:
            kept[route.model] = replace(route, servers=servers)
    return kept


def served_models(
    site: Site,
    endpoints: tuple[Endpoint, ...],
    kept: Mapping[str, Route],
    last: GatewayRecord | None,
) -> dict[str, tuple[str, ...]]:
    """Every model with what takes over for it: the manifest's in its order, then those that it no
    longer has and that are still served."""
    before = {r.model: r.fallback for r in _routes(last)}
    models = fallbacks(site)
    for model in (*(s.model for s in endpoints), *kept):
        models.setdefault(model, before.get(model, ()))
    return models


def _routes(last: GatewayRecord | None) -> tuple[Route, ...]:
    return last.spec.routes if last else ()


def _recorded(records: Mapping[str, Record]) -> Iterator[tuple[str, str]]:
    return ((host, name) for host, record in records.items() for name in record.instances)


def _planned(plan: HostPlan | None, host: str, name: str) -> Endpoint | None:
    for operation in plan.operations if plan else ():
        if operation.name == name and operation.instance is not None:
            instance = operation.instance
            return endpoint_of(host, name, instance.spec, instance.declared)
    return None


def _leaves(plan: HostPlan | None, name: str) -> bool:
    operations = plan.operations if plan else ()
    return any(o.name == name and o.kind is Kind.REMOVE for o in operations)


def _as_recorded(
    host: str, name: str, entry: InstanceRecord, now: InstanceConfig | None
) -> Endpoint:
    """What is stopped is compared with the manifest by nobody: what holds for its whole model comes
    from there. The health path is never the record's word, for one pool has one.
    """
    spec = entry.spec
    if entry.stopped is not None and now is not None and now.model == spec.model:
        own = {name: getattr(now, name) for name in ENGINE_SETTINGS}
        stated = replace(spec, type=now.type, api_key=now.api_key, **own)
        backend = backend_named(spec.backend)
        spec = completed_as(stated, spec, backend) if backend else stated
    return endpoint_of(host, name, spec, now)
