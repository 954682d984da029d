"""Which instances serve, on every host that could be looked at: pure."""

from collections.abc import Mapping

from xgen_deploy.backends.registry import health_path_of
from xgen_deploy.gateway.demand import everywhere
from xgen_deploy.gateway.routes import Server
from xgen_deploy.gateway.serving import Serving, serving_of
from xgen_deploy.gateway.spec import GatewayRecord
from xgen_deploy.manifest.placement import Declared, Site
from xgen_deploy.plan.operation import HostPlan
from xgen_deploy.record import Record


def gather(
    site: Site, plans: Mapping[str, HostPlan], records: Mapping[str, Record]
) -> tuple[Serving, ...]:
    """Every instance that the manifest names, as its host's plan will leave it, else as its
    host's record has it. `records` are of the hosts that were seen.
    """
    found = (_one(d, plans.get(d.host), records.get(d.host)) for d in everywhere(site))
    return tuple(one for one in found if one is not None)


def kept_servers(
    site: Site, seen: frozenset[str], last: GatewayRecord | None
) -> dict[str, tuple[Server, ...]]:
    """By model: servers on hosts that could not be looked at, as the gateway knew them."""
    declared = {(d.host, d.name): d.model for d in everywhere(site)}
    found: dict[str, tuple[Server, ...]] = {}
    for one in last.spec.servers if last else ():
        model = declared.get((one.host, one.instance))
        if model is not None and one.host not in seen:
            found[model] = (*found.get(model, ()), one)
    return found


def _one(declared: Declared, plan: HostPlan | None, record: Record | None) -> Serving | None:
    for operation in plan.operations if plan else ():
        if operation.name == declared.name and operation.instance is not None:
            spec = operation.instance.spec
            path = health_path_of(spec.backend)
            return serving_of(declared.host, declared.name, spec, path)
    last = record.instances.get(declared.name) if record else None
    if last is None:
        return None
    return serving_of(declared.host, declared.name, last.spec, last.health_path)
