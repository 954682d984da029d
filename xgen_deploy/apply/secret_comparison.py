"""The secrets of one apply: which values are other ones now, and that none is missing."""

from collections.abc import Mapping
from dataclasses import replace

from xgen_deploy.apply.gateway import gateway_secrets
from xgen_deploy.apply.host_context import HostContext
from xgen_deploy.apply.monitoring_server import server_secrets
from xgen_deploy.errors import XgenError
from xgen_deploy.plan.desired import DesiredState
from xgen_deploy.plan.host_plan import Scope
from xgen_deploy.resolve.gateway_needs import is_gateway_host
from xgen_deploy.resolve.monitoring_needs import is_monitoring_host
from xgen_deploy.run.run import Run
from xgen_deploy.secrets.diff import ComparedSecrets, compare_secrets
from xgen_deploy.secrets.resolver import SecretResolver
from xgen_deploy.state.gateway import GATEWAY
from xgen_deploy.state.observation import Observation
from xgen_deploy.state.plan import HostPlan, Kind, Plan
from xgen_deploy.transport.base import Connection
from xgen_deploy.transport.fleet import each, lost_among


class SecretComparison:
    """By host, as far as `compare` was called for it."""

    def __init__(self, run: Run, resolver: SecretResolver, desired: DesiredState) -> None:
        self._run = run
        self._resolver = resolver
        self._desired = desired
        self._compared: dict[str, ComparedSecrets] = {}

    @property
    def changed(self) -> dict[str, frozenset[str]]:
        """By host, instances that run with an older value, `gateway` and `monitoring`."""
        return {host: compared.changed for host, compared in self._compared.items()}

    def knows(self, host: str) -> bool:
        return host in self._compared

    def scope(self, host: str, scope: Scope) -> Scope:
        """The scope of a plan, with what is known of the host's secrets."""
        compared = self._compared.get(host)
        if compared is None:
            return scope
        return replace(
            scope,
            changed_secrets=compared.changed,
            kept_secrets=compared.kept,
            secrets_compared=True,
        )

    def compare(self, observations: Mapping[str, Observation]) -> dict[str, XgenError]:
        """Only hosts with secrets are asked; those that were lost on the way, with the reason.
        Raises XgenError for a value that cannot be used.
        """
        site = self._run.site
        with_secrets = {d.host for d in site.declared if d.has_secrets}
        with_secrets |= {h for h in site.hosts if is_gateway_host(site, h)}
        with_secrets |= {h for h in site.hosts if is_monitoring_host(site, h)}

        def compare_host(connection: Connection) -> ComparedSecrets:
            observation = observations[connection.name]
            desired = self._desired.of(observation)
            return compare_secrets(site, observation, desired, connection, self._resolver)

        hosts = with_secrets & observations.keys()
        self._compared |= dict.fromkeys(observations, ComparedSecrets())
        results = each([c for n, c in self._run.connections.items() if n in hosts], compare_host)
        lost = lost_among(results)
        self._compared |= {n: r for n, r in results.items() if not isinstance(r, XgenError)}
        return lost

    def need(self, plan: Plan, contexts: Mapping[str, HostContext]) -> dict[str, XgenError]:
        """Before anything is touched; the hosts that were lost on the way, with the reason. Raises
        XgenError where one is neither at hand nor delivered that carrying the plan out takes.
        """
        chosen = [c for n, c in self._run.connections.items() if n in contexts]
        return lost_among(each(chosen, lambda c: _need(contexts[c.name], plan.hosts[c.name])))


def _need(context: HostContext, plan: HostPlan) -> None:
    for operation in plan.operations:
        if operation.instance is not None and operation.kind is not Kind.CLEAR_SLOT:
            context.secrets_of(operation.name).values(operation.instance)
    planned = [o for o in plan.operations if o.name == GATEWAY]
    running = context.record.gateway.spec if context.record.gateway else None
    spec = planned[0].gateway if planned else running
    if spec is not None:
        gateway_secrets(context).keys(spec)
    watching = next((o.monitoring for o in plan.operations if o.monitoring is not None), None)
    if watching is not None and watching.server is not None:
        last = context.record.monitoring
        server_secrets(context).files(watching.server, last.spec.server if last else None)
