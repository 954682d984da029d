"""Builds the plan over every observed host. Pure."""

from collections.abc import Mapping
from functools import partial

from xgen_deploy.errors import UnreachableError, XgenError
from xgen_deploy.faults import guarded
from xgen_deploy.frozen import replace
from xgen_deploy.plan.concurrency import in_turn
from xgen_deploy.plan.desired import DesiredState
from xgen_deploy.plan.fetches import fetches, with_unbringable
from xgen_deploy.plan.fingerprint import plan_fingerprint
from xgen_deploy.plan.gateway import with_gateways
from xgen_deploy.plan.gateway_refresh import with_refreshed_gateways
from xgen_deploy.plan.headlines import last_apply_line
from xgen_deploy.plan.host_plan import Scope, plan_host, refused_plan
from xgen_deploy.plan.maintenance import Request, maintenance
from xgen_deploy.plan.memory import with_memory
from xgen_deploy.plan.monitoring import with_monitoring
from xgen_deploy.plan.moved_revisions import moved_revisions
from xgen_deploy.plan.moves import with_moves
from xgen_deploy.plan.older_bundle import with_older_bundles
from xgen_deploy.plan.one_machine import (
    clones_warning,
    one_name_each,
    one_name_each_changed,
)
from xgen_deploy.plan.out_of_service import in_force
from xgen_deploy.plan.outdated import outdated_warning
from xgen_deploy.plan.quantizing import quantizings
from xgen_deploy.plan.rights import with_rights
from xgen_deploy.plan.rollout import in_batches
from xgen_deploy.plan.strategy import with_strategies
from xgen_deploy.plan.take_over import with_other_origins
from xgen_deploy.resolve.gateway_needs import is_gateway_host
from xgen_deploy.state.gateway import GATEWAY
from xgen_deploy.state.monitoring_config import MONITORING
from xgen_deploy.state.observation import Observation, Observed, facts_of, reached, records_of
from xgen_deploy.state.plan import Against, HostPlan, Plan
from xgen_deploy.state.site import Site


def make_plan(
    site: Site,
    observed: Observed,
    desired: DesiredState,
    scopes: Mapping[str, Scope],
    *,
    now: float,
    skip_refused: bool = False,
    against: Against = "manifest",
    refuses_unfit: bool = True,
) -> Plan:
    """The plan over what was observed; unreachable hosts are in it with their reason.
    `skip_refused`: hosts with refusals are left out, rather than forbidding everything. `now` is
    in seconds since the epoch. `against` as in Plan. `refuses_unfit` False: of
    what cannot fit is only warned.
    """
    hosts: dict[str, HostPlan] = {}
    observed = in_force(observed, now)
    for name, observation in observed.items():
        if not isinstance(observation, Observation):
            hosts[name] = _unreached(name, observation)
            continue
        scope = scopes.get(name, default_scope(site, name))
        host_plan = guarded(name, partial(_host_plan, site, observation, desired, scope))
        hosts[name] = (
            refused_plan(name, host_plan) if isinstance(host_plan, XgenError) else host_plan
        )
    observations, facts, records = reached(observed), facts_of(observed), records_of(observed)
    hosts = one_name_each(hosts, site, observed)
    if against == "manifest":
        hosts = with_memory(site, hosts, observations, refuses=refuses_unfit)
    hosts = with_strategies(site, hosts, facts, records)
    hosts = with_unbringable(site, hosts, observations)
    if skip_refused:
        hosts = _without_refused(hosts)
    hosts = in_turn(with_moves(site, in_batches(hosts), facts, records))
    compared = {
        h: GATEWAY in s.changed_secrets
        for h, s in scopes.items()
        if s.secrets_compared and GATEWAY not in s.kept_secrets
    }
    hosts = with_gateways(site, hosts, observations, compared, desired.renderer.templates)
    # With `--limit MODEL` a gateway is not started anew for one model's sake.
    refresh = frozenset(h for h, s in scopes.items() if s.refresh and s.instances is None)
    hosts = with_refreshed_gateways(hosts, observations, desired.renderer.templates, refresh)
    compared = {
        h: MONITORING in s.changed_secrets
        for h, s in scopes.items()
        if s.secrets_compared and MONITORING not in s.kept_secrets
    }
    hosts = with_monitoring(site, hosts, observations, compared, now)
    hosts = with_unbringable(site, with_rights(site, hosts, observations), observations)
    if skip_refused:
        hosts = _without_refused(hosts)
    hosts = with_other_origins(hosts, records, site.origin)
    hosts = with_older_bundles(hosts, records, site.bundle)
    if skip_refused:
        hosts = _without_refused(hosts)
    return Plan(
        project=site.project,
        manifest_file=site.manifest_file,
        manifest_digest=site.manifest_digest,
        hosts=hosts,
        warnings=(
            *site.warnings,
            *clones_warning(site, observed),
            *outdated_warning(hosts),
            *moved_revisions(site, observations),
        ),
        last_apply=last_apply_line(observed, now),
        against=against,
        fingerprint=plan_fingerprint(site.manifest_digest, hosts),
        fleet=site.fleet,
        fetches=fetches(site, hosts, observations),
        quantizings=quantizings(hosts, observations),
        bundle=site.bundle,
    )


def maintenance_plan(site: Site, observed: Observed, request: Request, *, now: float) -> Plan:
    """The plan of `stop`, `start` and `restart`; other hosts of the site are only observed."""
    observed = in_force(observed, now)
    observations, records = reached(observed), records_of(observed)
    layouts = {n: o.layout for n, o in observations.items()}
    hosts = maintenance(site, request, facts_of(observed), records, layouts)
    hosts = one_name_each_changed(hosts, observed)
    for name, observation in observed.items():
        if not isinstance(observation, Observation):
            if name in request.instances or is_gateway_host(site, name):
                hosts[name] = _unreached(name, observation)
        elif observation.record is None and name in request.instances:
            hosts[name] = refused_plan(name, XgenError(observation.record_error))
    hosts = with_rights(site, hosts, observations)
    return Plan(
        project=site.project,
        manifest_file=site.manifest_file,
        manifest_digest=site.manifest_digest,
        hosts={n: hosts[n] for n in observed if n in hosts},
        last_apply=last_apply_line(observed, now),
        against=request.action,
        fingerprint=plan_fingerprint(site.manifest_digest, hosts),
    )


def _host_plan(
    site: Site, observation: Observation, desired: DesiredState, scope: Scope
) -> HostPlan:
    return plan_host(site, observation, desired.of(observation), scope)


def default_scope(site: Site, host: str, *, refresh: bool = False) -> Scope:
    """All of a host's instances, or with `--limit MODEL` only those of the models."""
    if not site.limited_models:
        return Scope(refresh=refresh)
    return Scope(instances=frozenset(d.name for d in site.on(host)), refresh=refresh)


def _unreached(name: str, error: XgenError) -> HostPlan:
    if isinstance(error, UnreachableError):
        return HostPlan(host=name, reachable=False, error=error.reason, hint=error.hint)
    reason = str(error).removeprefix(f"{name}: ")
    return HostPlan(host=name, reachable=False, unreadable=True, error=reason)


def _without_refused(plans: Mapping[str, HostPlan]) -> dict[str, HostPlan]:
    """The plans, without operations on hosts where anything is refused."""
    return {
        name: replace(plan, operations=(), left_out=True) if plan.refusals else plan
        for name, plan in plans.items()
    }
