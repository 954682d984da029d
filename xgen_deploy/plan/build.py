"""Makes the plan over every host that was looked at."""

import time
from collections.abc import Mapping
from functools import partial

from xgen_deploy.errors import UnreachableError, XgenError
from xgen_deploy.faults import guarded
from xgen_deploy.plan.fingerprint import plan_fingerprint
from xgen_deploy.plan.gateway import Looked, with_gateways
from xgen_deploy.plan.gateway_refresh import with_refreshed_gateways
from xgen_deploy.plan.last_apply import last_apply_line
from xgen_deploy.plan.maintenance import Request, maintenance
from xgen_deploy.plan.make import (
    Scope,
    plan_host,
    readable_records,
    record_in,
    refused_plan,
)
from xgen_deploy.plan.moves import with_moves
from xgen_deploy.plan.outdated import outdated_warning
from xgen_deploy.plan.refused import without_refused
from xgen_deploy.plan.rollout import in_batches
from xgen_deploy.plan.strategy import with_strategies
from xgen_deploy.render.templates import Templates
from xgen_deploy.resolve.gateway_needs import is_gateway_host
from xgen_deploy.run.control_node import ControlNode, Seen
from xgen_deploy.run.template_files import read_templates
from xgen_deploy.state.facts import HostFacts
from xgen_deploy.state.gateway import GATEWAY
from xgen_deploy.state.host import Host
from xgen_deploy.state.plan import HostPlan, Plan
from xgen_deploy.state.site import Site


def make_plan(
    site: Site,
    seen: Mapping[str, Seen],
    control_node: ControlNode,
    scopes: Mapping[str, Scope],
    *,
    skip_refused: bool = False,
) -> Plan:
    """The plan over what was seen; unreachable hosts are in it with their reason. `skip_refused`:
    hosts with refusals are left out, rather than forbidding everything.
    """
    templates = Templates(read_templates())
    hosts: dict[str, HostPlan] = {}
    for name, one in seen.items():
        host = site.hosts[name]
        if one.facts is None:
            hosts[name] = _unseen(name, one.error)
            continue
        scope = scopes.get(name, default_scope(site, name))
        making = partial(_host_plan, site, host, one.facts, control_node, templates, scope)
        made = guarded(name, making)
        hosts[name] = refused_plan(name, made) if isinstance(made, XgenError) else made
    looked = looked_at(site, seen, control_node)
    facts = {name: one.facts for name, one in looked.items()}
    records = readable_records(site.project, facts)
    hosts = with_strategies(site, hosts, facts, records)
    if skip_refused:
        hosts = without_refused(hosts)
    hosts = with_moves(site, in_batches(hosts), facts, records)
    compared = {
        h: GATEWAY in s.changed_secrets
        for h, s in scopes.items()
        if s.secrets_compared and GATEWAY not in s.kept_secrets
    }
    hosts = with_gateways(site, hosts, looked, compared)
    # With `--limit MODEL` a gateway is not started anew for one model's sake.
    refresh = frozenset(h for h, s in scopes.items() if s.refresh and s.instances is None)
    hosts = with_refreshed_gateways(hosts, records, looked, templates, refresh)
    if skip_refused:
        hosts = without_refused(hosts)
    return Plan(
        project=site.project,
        manifest_file=site.manifest_file,
        manifest_digest=site.manifest_digest,
        hosts=hosts,
        warnings=site.warnings + outdated_warning(hosts),
        last_apply=last_apply_line(records.values(), time.time()),
        fingerprint=plan_fingerprint(site.manifest_digest, hosts),
    )


def maintenance_plan(
    site: Site, seen: Mapping[str, Seen], control_node: ControlNode, request: Request
) -> Plan:
    """For `stop`, `start` and `restart`: hosts that have no part in it are only looked at."""
    looked = looked_at(site, seen, control_node)
    facts = {n: one.facts for n, one in looked.items()}
    records = readable_records(site.project, facts)
    hosts = maintenance(site, request, facts, records, {n: o.layout for n, o in looked.items()})
    for name, one in seen.items():
        if one.facts is None and (name in request.wanted or is_gateway_host(site, name)):
            hosts[name] = _unseen(name, one.error)
        elif one.facts is not None and name not in records and name in request.wanted:
            hosts[name] = refused_plan(name, _record_error(site, name, one.facts))
    return Plan(
        project=site.project,
        manifest_file=site.manifest_file,
        manifest_digest=site.manifest_digest,
        hosts={n: hosts[n] for n in seen if n in hosts},
        last_apply=last_apply_line(records.values(), time.time()),
        fingerprint=plan_fingerprint(site.manifest_digest, hosts),
    )


def _record_error(site: Site, name: str, facts: HostFacts) -> XgenError:
    try:
        record_in(facts, site.project, name)
    except XgenError as error:
        return error
    return XgenError(f"{name}: its record cannot be used")


def _host_plan(
    site: Site,
    host: Host,
    facts: HostFacts,
    control_node: ControlNode,
    templates: Templates,
    scope: Scope,
) -> HostPlan:
    rendering = control_node.rendering(site, host, templates)
    return plan_host(site, host, facts, control_node.layout(site, host), rendering, scope)


def looked_at(site: Site, seen: Mapping[str, Seen], control_node: ControlNode) -> dict[str, Looked]:
    """The hosts on which a gateway and what it routes to could be seen."""
    return {
        name: Looked(one.facts, control_node.layout(site, site.hosts[name]))
        for name, one in seen.items()
        if one.facts is not None and one.facts.no_python is None
    }


def default_scope(site: Site, host: str, *, repin: bool = False, refresh: bool = False) -> Scope:
    """All of a host's instances, or with `--limit MODEL` only those of the models."""
    if not site.limited_models:
        return Scope(repin=repin, refresh=refresh)
    names = frozenset(d.name for d in site.on(host))
    return Scope(instances=names, repin=repin, refresh=refresh)


def _unseen(name: str, error: XgenError | None) -> HostPlan:
    if isinstance(error, UnreachableError):
        return HostPlan(host=name, reachable=False, error=error.reason, way_out=error.way_out)
    return HostPlan(host=name, reachable=False, error=str(error))
