"""Looks at every host at once and makes the plan: one connection and one round trip a host."""

import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from xgen_deploy.errors import UnreachableError, XgenError
from xgen_deploy.gateway.plan import Looked, readable_records, with_gateways
from xgen_deploy.home import expand_home
from xgen_deploy.layout import Layout, process_layout, system_layout
from xgen_deploy.manifest.host import Host
from xgen_deploy.manifest.placement import Site
from xgen_deploy.plan.fingerprint import plan_fingerprint
from xgen_deploy.plan.last_apply import last_apply_line
from xgen_deploy.plan.make import Scope, plan_host
from xgen_deploy.plan.operation import HostPlan, Plan
from xgen_deploy.plan.rollout import in_batches
from xgen_deploy.plan.strategy import with_strategies
from xgen_deploy.probe.facts import HostFacts
from xgen_deploy.probe.observe import observe
from xgen_deploy.render.instance import Rendering
from xgen_deploy.render.templates import Templates
from xgen_deploy.resolve.request import probe_request
from xgen_deploy.template_files import read_templates
from xgen_deploy.transport.base import Connection

Connect = Callable[[Host], Connection]


@dataclass(frozen=True)
class Workplace:
    """What a command works with on this machine: its home, state folder, interpreter."""

    home: str = field(default_factory=lambda: str(Path.home()))
    state_home: str = field(default_factory=lambda: _state_home())
    python: str = sys.executable

    def layout(self, site: Site, host: Host) -> Layout:
        """Where the project lies on a host, by the runtime that holds there."""
        if (host.runtime or site.runtime) == "process":
            return process_layout(site.project, self.state_home)
        return system_layout(site.project)

    def rendering(self, site: Site, host: Host, templates: Templates) -> Rendering:
        return Rendering(self.layout(site, host), templates, self.python)


@dataclass(frozen=True)
class Seen:
    """A host as it was seen, or why it was not."""

    facts: HostFacts | None
    error: XgenError | None = None


def localized(site: Site, workplace: Workplace) -> Site:
    """`~/` replaced where a host is this machine."""
    return expand_home(site, workplace.home)


def look(
    connection: Connection, site: Site, host: Host, workplace: Workplace, *, health: bool = False
) -> HostFacts:
    """One observation of one host."""
    layout = workplace.layout(site, host)
    return observe(connection, probe_request(site, host, layout, health=health))


def make_plan(
    site: Site, seen: Mapping[str, Seen], workplace: Workplace, scopes: Mapping[str, Scope]
) -> Plan:
    """The plan over what was seen; unreachable hosts are in it with their reason."""
    templates = Templates(read_templates())
    hosts: dict[str, HostPlan] = {}
    for name, one in seen.items():
        host = site.hosts[name]
        if one.facts is None:
            hosts[name] = _unseen(name, one.error)
            continue
        rendering = workplace.rendering(site, host, templates)
        hosts[name] = plan_host(
            site,
            host,
            one.facts,
            workplace.layout(site, host),
            rendering,
            scopes.get(name, default_scope(site, name)),
        )
    looked = looked_at(site, seen, workplace)
    facts = {name: one.facts for name, one in looked.items()}
    records = readable_records(site.project, looked)
    hosts = in_batches(with_strategies(site, hosts, facts, records))
    hosts = with_gateways(site, hosts, looked)
    return Plan(
        project=site.project,
        manifest_file=site.manifest_file,
        manifest_digest=site.manifest_digest,
        hosts=hosts,
        warnings=site.warnings,
        last_apply=last_apply_line([s.facts for s in seen.values() if s.facts], time.time()),
        fingerprint=plan_fingerprint(site.manifest_digest, hosts),
    )


def looked_at(site: Site, seen: Mapping[str, Seen], workplace: Workplace) -> dict[str, Looked]:
    """The hosts that could be seen, for the gateways' sake."""
    return {
        name: Looked(one.facts, workplace.layout(site, site.hosts[name]))
        for name, one in seen.items()
        if one.facts is not None
    }


def default_scope(site: Site, host: str, *, repin: bool = False) -> Scope:
    """All of a host's instances, or with `--limit MODEL` only those of the models."""
    if not site.limited_models:
        return Scope(repin=repin)
    return Scope(instances=frozenset(d.name for d in site.on(host)), repin=repin)


def _unseen(name: str, error: XgenError | None) -> HostPlan:
    if isinstance(error, UnreachableError):
        return HostPlan(host=name, reachable=False, error=error.reason, way_out=error.way_out)
    return HostPlan(host=name, reachable=False, error=str(error))


def _state_home() -> str:
    stated = os.environ.get("XDG_STATE_HOME", "")
    return stated if stated.startswith("/") else str(Path.home() / ".local" / "state")
