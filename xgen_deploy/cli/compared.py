"""The secrets of one apply: which values are other ones now, and that none is missing."""

from collections.abc import Mapping
from dataclasses import replace

from xgen_deploy.apply.gateway import gateway_secrets
from xgen_deploy.apply.host_context import HostContext
from xgen_deploy.errors import XgenError
from xgen_deploy.plan.make import Scope
from xgen_deploy.render.templates import Templates
from xgen_deploy.resolve.gateway_needs import is_gateway_host
from xgen_deploy.run.control_node import Seen
from xgen_deploy.run.run import Run
from xgen_deploy.run.template_files import read_templates
from xgen_deploy.secrets.diff import ComparedSecrets, compare_secrets
from xgen_deploy.secrets.resolver import SecretResolver
from xgen_deploy.state.gateway import GATEWAY
from xgen_deploy.state.plan import HostPlan, Plan
from xgen_deploy.transport.base import Connection
from xgen_deploy.transport.fleet import each, lost_among


class Compared:
    """By host, as far as `compare` was called for it."""

    def __init__(self, run: Run, resolver: SecretResolver) -> None:
        self._run = run
        self._resolver = resolver
        self._found: dict[str, ComparedSecrets] = {}

    @property
    def changed(self) -> dict[str, frozenset[str]]:
        """By host, instances that run with an older value, and `gateway`."""
        return {host: found.changed for host, found in self._found.items()}

    def knows(self, host: str) -> bool:
        return host in self._found

    def scope(self, host: str, scope: Scope) -> Scope:
        """The scope of a plan, with what is known of the host's secrets."""
        found = self._found.get(host)
        if found is None:
            return scope
        return replace(
            scope,
            changed_secrets=found.changed,
            kept_secrets=found.kept,
            secrets_compared=True,
        )

    def compare(self, seen: Mapping[str, Seen]) -> dict[str, XgenError]:
        """Only hosts with secrets are asked; those that were lost on the way, with the reason.
        Raises XgenError for a value that cannot be used.
        """
        site, control_node = self._run.site, self._run.control_node
        with_secrets = {d.host for d in site.declared if d.has_secrets}
        with_secrets |= {h for h in site.hosts if is_gateway_host(site, h)}
        templates = Templates(read_templates())

        def one(connection: Connection) -> ComparedSecrets:
            facts, host = seen[connection.name].facts, site.hosts[connection.name]
            if facts is None or facts.no_python is not None:
                return ComparedSecrets()
            layout, rendering = (
                control_node.layout(site, host),
                control_node.rendering(site, host, templates),
            )
            return compare_secrets(site, host, facts, layout, rendering, connection, self._resolver)

        chosen = [c for n, c in self._run.connections.items() if n in with_secrets and n in seen]
        self._found |= dict.fromkeys(seen, ComparedSecrets())
        results = each(chosen, one)
        lost = lost_among(results)
        self._found |= {n: r for n, r in results.items() if not isinstance(r, XgenError)}
        return lost

    def need(self, plan: Plan, contexts: Mapping[str, HostContext]) -> dict[str, XgenError]:
        """Before anything is touched; the hosts that were lost on the way, with the reason. Raises
        XgenError where one is neither at hand nor delivered that carrying the plan out takes.
        """
        chosen = [c for n, c in self._run.connections.items() if n in contexts]
        return lost_among(each(chosen, lambda c: _need(contexts[c.name], plan.hosts[c.name])))


def _need(run: HostContext, plan: HostPlan) -> None:
    for one in plan.operations:
        if one.instance is not None and not one.tidies:
            run.secrets_of(one.name).values(one.instance)
    planned = [o for o in plan.operations if o.name == GATEWAY]
    running = run.record.gateway.spec if run.record.gateway else None
    spec = planned[0].gateway if planned else running
    if spec is not None:
        gateway_secrets(run).keys(spec)
