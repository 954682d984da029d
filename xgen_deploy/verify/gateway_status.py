"""The state of the gateways, from one observation of their hosts. Pure."""

from typing import Literal

from xgen_deploy.errors import XgenError, reason_of
from xgen_deploy.faults import guarded
from xgen_deploy.frozen import Frozen
from xgen_deploy.gateway.stats import ServerState, parse_servers
from xgen_deploy.resolve.gateway_needs import LOOPBACK
from xgen_deploy.state.gateway import GATEWAY, GatewaySpec
from xgen_deploy.state.observation import Observation, Observed
from xgen_deploy.state.site import Site

# The master and the process that serves.
_OWN = 2
State = Literal["up", "down", "stopped", "absent", "unknown"]


class GatewayStatus(Frozen):
    """One gateway. `servers` is None where they are unknown. `silent` are models without a server
    that answers, `by_fallback` those that another model answers for. `old_processes` were replaced
    by a reload and finish their last requests; None where that is unknown.
    """

    host: str
    status: State
    endpoint: str | None = None
    servers: tuple[ServerState, ...] | None = None
    silent: tuple[str, ...] = ()
    by_fallback: tuple[str, ...] = ()
    old_processes: int | None = None
    reason: str | None = None

    @property
    def good(self) -> bool:
        return self.status == "up" and not self.silent

    @property
    def line(self) -> str:
        """For people: `http://edge:8080  up  3 of 5 servers; every model answers (…)`."""
        parts = [self.endpoint or self.host, self.status]
        if self.servers is not None:
            parts.append(f"{sum(s.up for s in self.servers)} of {len(self.servers)} servers")
        if self.old_processes:
            parts.append(f"old processes: {self.old_processes}")
        text = "  ".join(parts)
        if self.silent:
            return f"{text}; nothing answers for {', '.join(self.silent)}"
        if self.servers is not None:
            others = f" ({', '.join(self.by_fallback)} by fallback)" if self.by_fallback else ""
            return f"{text}; every model answers{others}"
        return f"{text}: {self.reason}" if self.reason else text


def gateway_statuses(site: Site, observed: Observed) -> tuple[GatewayStatus, ...]:
    """Of every gateway that the manifest names."""
    hosts = (site.gateway.hosts or ()) if site.gateway else ()
    return tuple(_guarded(site, observed[h], h) for h in hosts if h in site.hosts)


def _guarded(site: Site, observation: Observation | XgenError, host: str) -> GatewayStatus:
    status = guarded(host, lambda: _status(site, observation, host))
    if isinstance(status, XgenError):
        return GatewayStatus(host=host, status="unknown", reason=str(status))
    return status


def _status(site: Site, observation: Observation | XgenError, name: str) -> GatewayStatus:
    if isinstance(observation, XgenError):
        return GatewayStatus(host=name, status="unknown", reason=reason_of(observation))
    if observation.record is None:
        return GatewayStatus(host=name, status="unknown", reason=observation.record_error)
    facts, record = observation.facts, observation.record
    if record.gateway is None:
        return GatewayStatus(host=name, status="absent", reason="not applied yet")
    spec = record.gateway.spec
    endpoint = _endpoint(site, name, spec)
    service = facts.service(observation.layout.service(GATEWAY))
    if record.gateway.stopped is not None and (service is None or service.state != "active"):
        reason = f"stopped by {record.gateway.stopped.by}; `xgen-deploy start` starts it"
        return GatewayStatus(host=name, status="stopped", endpoint=endpoint, reason=reason)
    if service is None or service.state not in ("active", "reloading"):
        reason = f"its unit is {service.state}" if service else "its unit is missing"
        return GatewayStatus(host=name, status="down", endpoint=endpoint, reason=reason)
    try:
        servers = parse_servers(facts.gateway_stats or "")
    except ValueError:
        return GatewayStatus(host=name, status="up", endpoint=endpoint)
    silent, by_fallback = _models(spec, servers)
    return GatewayStatus(
        host=name,
        status="up",
        endpoint=endpoint,
        servers=servers,
        silent=silent,
        by_fallback=by_fallback,
        old_processes=_old_processes(spec, facts.gateway_processes),
    )


def _old_processes(spec: GatewaySpec, processes: int | None) -> int | None:
    """A container's processes are not in the unit, where there is only Docker's client."""
    if processes is None or spec.image is not None:
        return None
    return max(0, processes - _OWN)


def _models(
    spec: GatewaySpec, servers: tuple[ServerState, ...]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    up = {s.pool for s in servers if s.up}
    answering = {r.model for r in spec.routes if r.pool in up or r.old_pool in up}
    down = [r for r in spec.routes if r.model not in answering]
    helped = tuple(r.model for r in down if answering.intersection(r.fallback))
    return tuple(r.model for r in down if r.model not in helped), helped


def _endpoint(site: Site, name: str, spec: GatewaySpec) -> str:
    host = site.hosts[name]
    address = host.client_address or host.address or name
    if spec.listen in (LOOPBACK, "::1"):
        address = spec.listen
    shown = f"[{address}]" if ":" in address else address
    return f"{'https' if spec.tls else 'http'}://{shown}:{spec.port}"
