"""The plan of one host, from its desired state and its observation. Pure."""

from dataclasses import dataclass

from xgen_deploy.errors import XgenError
from xgen_deploy.frozen import replace
from xgen_deploy.plan.desired import Desired
from xgen_deploy.plan.fingerprint import host_parts
from xgen_deploy.plan.headlines import host_headline
from xgen_deploy.plan.out_of_service import covered_instances, with_covered, without_covered
from xgen_deploy.plan.outdated import outdated
from xgen_deploy.plan.reconcile import reconcile
from xgen_deploy.plan.watchdog_drift import watchdog_repair
from xgen_deploy.state.facts import HostFacts
from xgen_deploy.state.instance import Refusal
from xgen_deploy.state.layout import Layout
from xgen_deploy.state.lock import lock_status
from xgen_deploy.state.observation import Observation
from xgen_deploy.state.ownership import ours
from xgen_deploy.state.plan import HostPlan, Kind
from xgen_deploy.state.record import Record
from xgen_deploy.state.site import Site

_MOST_GONE = 10


@dataclass(frozen=True)
class Scope:
    """What a plan is to look at, and with what eyes.

    `instances` None: all of the host's, else only these (`--limit MODEL`). `changed_secrets`
    are instances whose secret has another value now; only apply can know, which
    sets `secrets_compared`. Of `kept_secrets` it could not have the value, and what was delivered
    stays. `clearing`: the whole project is being taken away. `refresh`: units that an older
    version of this tool wrote are written anew.
    """

    instances: frozenset[str] | None = None
    changed_secrets: frozenset[str] = frozenset()
    secrets_compared: bool = False
    kept_secrets: frozenset[str] = frozenset()
    clearing: bool = False
    refresh: bool = False


def plan_host(site: Site, observation: Observation, desired: Desired, scope: Scope) -> HostPlan:
    """Never raises for the state of a host: what cannot work becomes a refusal."""
    host, facts, layout = observation.host, observation.facts, observation.layout
    record, resolved = desired.record, desired.resolved
    if record is None:
        return HostPlan(host=host, headline=host_headline(facts), refusals=resolved.refusals)
    covered = {} if scope.clearing else covered_instances(record, site.on(host), resolved)
    plan = reconcile(
        host,
        without_covered(resolved, covered),
        record,
        facts,
        layout,
        declared=frozenset(d.name for d in site.on(host)),
        in_scope=scope.instances,
        changed_secrets=scope.changed_secrets,
        clearing=scope.clearing,
        rendered=desired.rendered,
        refresh=scope.refresh,
    )
    watchdog = () if scope.clearing or scope.instances is not None else desired.watchdog
    repair = watchdog_repair(host, watchdog, facts, layout)
    in_scope = {n: c for n, c in covered.items() if scope.instances is None or n in scope.instances}
    plan = with_covered(plan, in_scope, record, resolved)
    return replace(
        plan,
        operations=(*plan.operations, *([repair] if repair else [])),
        headline=host_headline(facts),
        secrets_kept=_secrets_kept(plan, site, scope),
        warnings=locked_warning(facts) + plan.warnings + _left_behind(record, site),
        refusals=plan.refusals + _names_taken(plan, facts, record, layout),
        parts=host_parts(site, facts, record, host),
        left=scope.clearing and bool(facts.record or facts.etc_files or facts.fetching),
        outdated=outdated(record, plan.unchanged),
    )


def locked_warning(facts: HostFacts) -> tuple[str, ...]:
    """Somebody is at work on the host: what is planned is about a moment of that."""
    lock = lock_status(facts.lock)
    if lock is None or lock.pid is None:
        return ()
    return (f"{lock.line}; the plan is of this moment and may be another one when that has ended",)


def refused_plan(host: str, error: XgenError) -> HostPlan:
    """The plan of a host for which planning failed: one refusal."""
    reason = str(error).removeprefix(f"{host}: ")
    return HostPlan(host=host, refusals=(Refusal(host=host, reason=reason),))


def _secrets_kept(plan: HostPlan, site: Site, scope: Scope) -> tuple[str, ...]:
    """Instances whose secrets were not compared with the delivered ones."""
    if scope.secrets_compared:
        return tuple(d.name for d in site.on(plan.host) if d.name in scope.kept_secrets)
    new = {o.name for o in plan.operations if o.kind is Kind.CREATE}
    with_secrets = (d for d in site.on(plan.host) if d.has_secrets and d.name not in new)
    return tuple(d.name for d in with_secrets)


def _names_taken(
    plan: HostPlan, facts: HostFacts, record: Record, layout: Layout
) -> tuple[Refusal, ...]:
    """A foreign container has the name that a new instance's container needs."""
    new = {
        layout.service(o.instance.name_on_host): o.name
        for o in plan.operations
        if o.instance is not None and o.name not in record.instances
    }
    return tuple(
        Refusal(
            host=plan.host,
            instance=new[box.name],
            reason=f"container {box.name} exists already and was not made by xgen-deploy",
            hint=f"Rename it, or remove it: `docker rm -f {box.name}`",
        )
        for box in facts.docker.containers
        if box.name in new and not ours(box, facts, record, layout)
    )


def empty_site(site: Site) -> Site:
    """The same project without any instance: the desired state of `destroy`."""
    return replace(site, declared=(), elsewhere=(), gateway=None, monitoring=None)


def _left_behind(record: Record, site: Site) -> tuple[str, ...]:
    """Warnings about hosts that the record knows and the manifest no longer has."""
    gone = [h for h in record.hosts if h not in site.hosts and h not in site.other_hosts]
    more = len(gone) - _MOST_GONE
    return tuple(
        f"{name} left the manifest and may still run this project; to clear it, write "
        f"`{name}: []` under `hosts:` and apply"
        for name in gone[:_MOST_GONE]
    ) + ((f"... and {more} more hosts that left the manifest",) if more > 0 else ())
