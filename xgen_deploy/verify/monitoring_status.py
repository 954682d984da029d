"""The state of what watches the hosts, from one observation of them. Pure."""

from typing import Literal

from xgen_deploy.errors import XgenError, reason_of
from xgen_deploy.frozen import Frozen
from xgen_deploy.plan.monitoring_drift import monitoring_drift
from xgen_deploy.resolve.monitoring_needs import is_monitoring_host, watched_hosts
from xgen_deploy.state.monitoring import ServerSpec
from xgen_deploy.state.observation import Observation, Observed
from xgen_deploy.state.site import Site

State = Literal["up", "down", "absent", "unknown"]


class MonitoringStatus(Frozen):
    """Of one host: its exporter, and Prometheus where that is. `endpoint` is Prometheus'."""

    host: str
    status: State
    endpoint: str | None = None
    reason: str | None = None


def monitoring_statuses(site: Site, observed: Observed) -> tuple[MonitoringStatus, ...]:
    """Of every host that the manifest has watched, the one with Prometheus first."""
    if site.monitoring is None:
        return ()
    watched = dict.fromkeys((site.monitoring.host, *watched_hosts(site)))
    return tuple(_status(site, observed[h], h) for h in watched if h in observed)


def _status(site: Site, observation: Observation | XgenError, host: str) -> MonitoringStatus:
    if isinstance(observation, XgenError):
        return MonitoringStatus(host=host, status="unknown", reason=reason_of(observation))
    if observation.record is None:
        return MonitoringStatus(host=host, status="unknown", reason=observation.record_error)
    last = observation.record.monitoring
    if last is None:
        return MonitoringStatus(host=host, status="absent", reason="not applied yet")
    server = last.spec.server
    endpoint = _endpoint(site, host, server) if server is not None else None
    drift = monitoring_drift(last, observation)
    state: State = "down" if drift else "up"
    reason = "; ".join(drift) or None
    return MonitoringStatus(host=host, status=state, endpoint=endpoint, reason=reason)


def _endpoint(site: Site, name: str, spec: ServerSpec) -> str | None:
    if site.monitoring is None or not is_monitoring_host(site, name):
        return None
    host = site.hosts.get(name)
    reached = (host.client_address or host.address or name) if host else name
    address = reached if site.monitoring.is_open else spec.listen
    shown = f"[{address}]" if ":" in address else address
    return f"{'https' if spec.tls else 'http'}://{shown}:{spec.port}"
