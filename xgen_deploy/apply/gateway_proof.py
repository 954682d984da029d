"""The end of an apply: what it changed answers through every gateway, changed or not."""

from collections.abc import Iterator, Mapping
from contextlib import nullcontext, suppress
from dataclasses import dataclass, replace

from xgen_deploy.apply.events import Event, EventKind, Listener
from xgen_deploy.apply.host import record_failed_gateway
from xgen_deploy.apply.host_context import HostContext
from xgen_deploy.apply.outcomes import HostResult
from xgen_deploy.errors import UnreachableError, XgenError
from xgen_deploy.gateway.away import away
from xgen_deploy.resolve.gateway_needs import is_gateway_host, python_on
from xgen_deploy.run.run import Run
from xgen_deploy.secrets.gateway import GatewaySecrets
from xgen_deploy.secrets.resolver import SecretResolver
from xgen_deploy.secrets.source import HostFiles
from xgen_deploy.state.gateway import GATEWAY, GatewaySpec
from xgen_deploy.state.gateway_paths import gateway_socket
from xgen_deploy.state.plan import GATEWAY_CHANGES, Kind
from xgen_deploy.state.record import Record
from xgen_deploy.transport.base import Session
from xgen_deploy.verify.gateway_requests import GatewayRequests, RequestOutcome, proved_text
from xgen_deploy.verify.haproxy_socket import HaproxySocket

_SERVES = frozenset({Kind.CREATE, Kind.UPDATE, Kind.REFRESH, Kind.REPAIR, Kind.START, Kind.RESTART})
# A server that came back is asked every second.
_UP = 10.0
Results = dict[str, HostResult | XgenError]


@dataclass(frozen=True)
class GatewayProof:
    """`records` are of all hosts that were observed, as they are now; `contexts` of those that
    were changed.
    """

    run: Run
    records: Mapping[str, Record]
    contexts: Mapping[str, HostContext]
    secrets: SecretResolver
    tell: Listener

    def of(self, results: Results) -> Results:
        """The results with what every gateway that the apply concerns answered."""
        models = frozenset(_changed_models(results))
        whole = dict(results)
        for host, record in self.records.items():
            result = results.get(host, HostResult(host))
            gateway = record.gateway
            if gateway is None or gateway.stopped or not is_gateway_host(self.run.site, host):
                continue
            if isinstance(result, HostResult) and result.ok:
                asked = {o.model for o in result.asked}
                every = {r.model for r in gateway.spec.routes}
                to_ask = every & (every if _gateway_changed(result) else models) - asked
                if to_ask:
                    outcomes = self._ask(host, gateway.spec, frozenset(to_ask))
                    whole[host] = replace(result, asked=(*result.asked, *outcomes))
        return whole

    def _ask(
        self, host: str, spec: GatewaySpec, models: frozenset[str]
    ) -> tuple[RequestOutcome, ...]:
        context = self.contexts.get(host)
        try:
            held = nullcontext(context.session) if context else None
            excluded = away(spec.routes, self.records, self.run.site.other_hosts)
            pools = {r.pool for r in spec.routes if r.model in models and r.model not in excluded}
            with held or self.run.connections[host].session() as session:
                requests = self._requests(host, spec, session)
                requests.runtime.wait_pools_up(pools, _UP)
                outcomes = requests.of(models, excluded)
        except XgenError as error:
            reason = str(error).removeprefix(f"{host}: ")
            outcomes = tuple(
                RequestOutcome(model=m, outcome="failed", detail=reason) for m in sorted(models)
            )
        kind: EventKind = "gate"
        if any(o.bad for o in outcomes):
            kind = "failed"
            if context is not None:
                with suppress(UnreachableError):
                    record_failed_gateway(context, proved_text(outcomes))
        self.tell(Event(kind=kind, host=host, instance=GATEWAY, text=proved_text(outcomes)))
        return outcomes

    def _requests(self, host: str, spec: GatewaySpec, session: Session) -> GatewayRequests:
        layout = self.run.layout(host)
        files = HostFiles(host, session)
        key = GatewaySecrets(self.secrets, files, layout, self.records[host]).asking(spec)
        runtime = HaproxySocket(
            host, session, gateway_socket(layout), python_on(self.run.site, host)
        )
        return GatewayRequests(session, spec, runtime, key)


def _changed_models(results: Results) -> Iterator[str]:
    for result in results.values():
        for one in result.results if isinstance(result, HostResult) else ():
            if one.ok and one.operation.kind in _SERVES and one.operation.instance is not None:
                yield one.operation.instance.spec.model


def _gateway_changed(result: HostResult) -> bool:
    return any(r.operation.kind in GATEWAY_CHANGES for r in result.results)
