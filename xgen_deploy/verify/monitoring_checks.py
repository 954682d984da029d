"""Whether what watches a host is as it was applied, and Prometheus reaches every exporter."""

from collections.abc import Iterator

from xgen_deploy.errors import XgenError
from xgen_deploy.plan.monitoring_drift import monitoring_drift
from xgen_deploy.resolve.monitoring_needs import is_monitoring_host, watched_hosts
from xgen_deploy.secrets.monitoring import ServerSecrets
from xgen_deploy.secrets.resolver import SecretResolver
from xgen_deploy.secrets.source import HostFiles
from xgen_deploy.state.monitoring import ServerSpec
from xgen_deploy.state.monitoring_config import MONITORING
from xgen_deploy.state.observation import Observation
from xgen_deploy.state.site import Site
from xgen_deploy.transport.base import Connection
from xgen_deploy.verify.checks import Check
from xgen_deploy.verify.prometheus_api import prometheus_api


def check_monitoring(
    site: Site, observation: Observation, connection: Connection, resolver: SecretResolver
) -> Iterator[Check]:
    """No check where the manifest has nothing that watches the host."""
    host = observation.host
    if host not in watched_hosts(site) and not is_monitoring_host(site, host):
        return
    if observation.record is None:
        return
    last = observation.record.monitoring
    if last is None:
        yield _check(host, "applied", "never applied")
        return
    yield _check(host, "units and files", "; ".join(monitoring_drift(last, observation)))
    if last.spec.server is None:
        return
    with connection.session() as session:
        secrets = ServerSecrets(resolver, HostFiles(host, session), observation.layout)
        try:
            yield from _targets(host, last.spec.server, secrets)
        except XgenError as error:
            yield _check(host, "targets", str(error).removeprefix(f"{host}: "))


def _targets(host: str, spec: ServerSpec, secrets: ServerSecrets) -> Iterator[Check]:
    api = prometheus_api(secrets.on.session, spec, secrets)
    reply = api.get("/-/ready")
    if reply.status == 401:
        yield _check(host, "targets skipped", "the login is not available here", ok=True)
        return
    if reply.status != 200:
        how = f"answers {reply.status}" if reply.status else "does not answer"
        yield _check(host, "targets", f"Prometheus {how}")
        return
    bad = api.not_scraped()
    for target in spec.targets:
        yield _check(host, f"target {target.host}", bad.get(target.host, ""))


def _check(host: str, what: str, found: str, *, ok: bool | None = None) -> Check:
    good = not found if ok is None else ok
    return Check(host=host, instance=MONITORING, what=what, ok=good, found=found)
