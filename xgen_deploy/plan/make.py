"""The plan of one host from the manifest and what was seen there: pure."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256

from xgen_deploy.backends.base import Unsupported
from xgen_deploy.errors import XgenError
from xgen_deploy.frozen import replace
from xgen_deploy.plan.fingerprint import host_parts
from xgen_deploy.plan.headline import headline
from xgen_deploy.plan.outdated import outdated
from xgen_deploy.plan.reconcile import reconcile
from xgen_deploy.render.instance import Rendering
from xgen_deploy.resolve.host import Resolved, resolve_host
from xgen_deploy.state.facts import INSTALL_PYTHON, HostFacts
from xgen_deploy.state.host import Host
from xgen_deploy.state.instance import Instance, Refusal
from xgen_deploy.state.layout import Layout
from xgen_deploy.state.ownership import ours
from xgen_deploy.state.plan import HostPlan
from xgen_deploy.state.record import Record, read_record
from xgen_deploy.state.site import Site

_MOST_GONE = 10
_NEEDED = ("services", "models", "engines", "ports", "gpu", "record")


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
    repin: bool = False
    changed_secrets: frozenset[str] = frozenset()
    secrets_compared: bool = False
    kept_secrets: frozenset[str] = frozenset()
    clearing: bool = False
    refresh: bool = False


@dataclass(frozen=True)
class Decided:
    """What a host is to run. `record` is None where too much of it is unknown: all is refused.
    `definitions` maps an instance to the SHA-256 of its unit as this version renders it.
    """

    record: Record | None
    resolved: Resolved
    definitions: Mapping[str, str] = field(default_factory=dict)


def plan_host(
    site: Site, host: Host, facts: HostFacts, layout: Layout, rendering: Rendering, scope: Scope
) -> HostPlan:
    """Never raises for what it finds: whatever cannot work is a refusal with its reason."""
    decided = decide(site, host, facts, layout, rendering, repin=scope.repin)
    record, resolved = decided.record, decided.resolved
    if record is None:
        return HostPlan(host=host.name, headline=headline(facts), refusals=resolved.refusals)
    plan = reconcile(
        host.name,
        resolved,
        record,
        facts,
        layout,
        wanted=frozenset(d.name for d in site.on(host.name)),
        in_scope=scope.instances,
        changed_secrets=scope.changed_secrets,
        clearing=scope.clearing,
        definitions=decided.definitions if scope.refresh else None,
    )
    return replace(
        plan,
        headline=headline(facts),
        secrets_kept=_secrets_kept(plan, site, scope),
        warnings=plan.warnings + _left_behind(record, site),
        refusals=plan.refusals + _names_taken(plan, facts, record, layout),
        parts=host_parts(facts, record),
        outdated=outdated(record, plan.unchanged),
    )


def refused_plan(host: str, error: XgenError) -> HostPlan:
    """Of a host whose plan could not be made: that is its refusal."""
    reason = str(error).removeprefix(f"{host}: ")
    return HostPlan(host=host, refusals=(Refusal(host=host, reason=reason),))


def _secrets_kept(plan: HostPlan, site: Site, scope: Scope) -> tuple[str, ...]:
    """Instances whose secrets nobody has compared with what was delivered."""
    if scope.secrets_compared:
        return tuple(d.name for d in site.on(plan.host) if d.name in scope.kept_secrets)
    new = {o.name for o in plan.operations if o.action == "create"}
    mine = (d for d in site.on(plan.host) if d.has_secrets and d.name not in new)
    return tuple(d.name for d in mine)


def decide(
    site: Site,
    host: Host,
    facts: HostFacts,
    layout: Layout,
    rendering: Rendering,
    *,
    repin: bool = False,
) -> Decided:
    """What a host is to run. Never raises: what cannot be told or not be rendered is refused."""
    if facts.no_python is not None:
        refusal = Refusal(host=host.name, reason=facts.no_python, way_out=INSTALL_PYTHON)
        return Decided(None, Resolved((), (refusal,), ()))
    docker = any(d.runtime == "docker" for d in site.on(host.name))
    unknown = _unknown_parts(host.name, facts, docker=docker)
    record = None
    try:
        record = record_in(facts, site.project, host.name)
    except XgenError as error:
        reason = str(error).removeprefix(f"{host.name}: ")
        unknown = (*unknown, Refusal(host=host.name, reason=reason))
    if record is None or unknown:
        return Decided(None, Resolved((), unknown, ()))
    resolved = resolve_host(site, host, facts, record, layout, repin=repin)
    return _only_renderable(record, resolved, rendering)


def _names_taken(
    plan: HostPlan, facts: HostFacts, record: Record, layout: Layout
) -> tuple[Refusal, ...]:
    """A container that is not ours has the name that a new instance's would get."""
    new = {
        layout.service(o.instance.name_on_host): o.name
        for o in plan.operations
        if o.instance is not None and o.name not in record.instances
    }
    return tuple(
        Refusal(
            host=plan.host,
            instance=new[box.name],
            reason=f"there is a container {box.name} already, and it is not this tool's",
            way_out=f"rename it, or take it away: docker rm -f {box.name}",
        )
        for box in facts.docker.containers
        if box.name in new and not ours(box, facts, record, layout)
    )


def empty_site(site: Site) -> Site:
    """The same project with nothing wanted anywhere: what `destroy` plans for."""
    return replace(site, declared=(), elsewhere=(), gateway=None)


def readable_records(project: str, facts: Mapping[str, HostFacts]) -> dict[str, Record]:
    """By host; one that cannot be read has been refused by its host's own plan already."""
    found = {}
    for name, seen in facts.items():
        with suppress(XgenError):
            found[name] = record_in(seen, project, name)
    return found


def record_in(facts: HostFacts, project: str, host: str) -> Record:
    """Raises XgenError where a record is there and cannot be read or understood, and where
    nobody could look for one.
    """
    if facts.no_python is not None:
        raise XgenError(f"{host}: {facts.no_python}. {INSTALL_PYTHON}")
    if facts.record_error is not None:
        raise XgenError(
            f"{host}: the record of project {project} cannot be read: {facts.record_error}"
        )
    return read_record(facts.record, project, host)


def _unknown_parts(host: str, facts: HostFacts, *, docker: bool) -> tuple[Refusal, ...]:
    """A part that could not be looked at is unknown, which is not the same as empty."""
    return tuple(
        Refusal(
            host=host,
            reason=f"the probe could not look at its {part}: {reason}",
            way_out="look at the host; a loaded one may only need another try",
        )
        for part, reason in facts.errors.items()
        if part in _NEEDED or (docker and part == "docker")
    )


def _only_renderable(record: Record, resolved: Resolved, rendering: Rendering) -> Decided:
    """What the engine's build cannot do is found out here, before anything is touched."""
    kept: list[Instance] = []
    definitions = {}
    refusals = list(resolved.refusals)
    for instance in resolved.instances:
        try:
            unit = rendering.render(instance).definition.content
        except (Unsupported, ValueError) as error:
            refusals.append(
                Refusal(
                    host=instance.host,
                    instance=instance.name,
                    reason=f"{instance.spec.backend}: {error}",
                    mark=instance.declared.marks.get(""),
                )
            )
        else:
            kept.append(instance)
            definitions[instance.name] = sha256(unit.encode()).hexdigest()
    decided = Resolved(tuple(kept), tuple(refusals), resolved.warnings)
    return Decided(record, decided, definitions)


def _left_behind(record: Record, site: Site) -> tuple[str, ...]:
    """A host that left the manifest is not forgotten."""
    gone = [h for h in record.hosts if h not in site.hosts and h not in site.other_hosts]
    more = len(gone) - _MOST_GONE
    return tuple(
        f"{name} left the manifest and may still run this project: write `{name}: []` under "
        "hosts and apply, to clear it"
        for name in gone[:_MOST_GONE]
    ) + ((f"... and {more} more hosts that left the manifest",) if more > 0 else ())
