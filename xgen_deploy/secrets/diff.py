"""Whether a secret's value differs from the delivered one. Only apply compares.

The delivered files are read back over the same connection and compared in memory; neither value is
shown, stored or logged.
"""

from dataclasses import dataclass

from xgen_deploy.plan.desired import Desired
from xgen_deploy.resolve.gateway_needs import is_gateway_host
from xgen_deploy.resolve.monitoring_needs import is_monitoring_host
from xgen_deploy.secrets.delivered import InstanceSecrets
from xgen_deploy.secrets.gateway import GatewaySecrets
from xgen_deploy.secrets.monitoring import ServerSecrets
from xgen_deploy.secrets.resolver import SecretResolver
from xgen_deploy.secrets.source import HostFiles
from xgen_deploy.state.gateway import GATEWAY
from xgen_deploy.state.monitoring_config import MONITORING
from xgen_deploy.state.observation import Observation
from xgen_deploy.state.site import Site
from xgen_deploy.transport.base import Connection


@dataclass(frozen=True)
class ComparedSecrets:
    """Names of a host's instances, `gateway` and `monitoring`. `changed` run with an older value;
    of `kept` a value is not at hand, so the delivered one stays.
    """

    changed: frozenset[str] = frozenset()
    kept: frozenset[str] = frozenset()


def compare_secrets(
    site: Site,
    observation: Observation,
    desired: Desired,
    connection: Connection,
    resolver: SecretResolver,
) -> ComparedSecrets:
    """Skips refused instances. Raises XgenError for a value that cannot be used."""
    host, layout, record = observation.host, observation.layout, desired.record
    if record is None:
        return ComparedSecrets()
    known = record.instances
    applied = [i for i in desired.resolved.instances if i.declared.has_secrets and i.name in known]
    gateway = record.gateway is not None and bool(record.gateway.spec.secrets)
    gateway = gateway and is_gateway_host(site, host)
    watching = record.monitoring is not None and is_monitoring_host(site, host)
    if not applied and not gateway and not watching:
        return ComparedSecrets()
    differences: dict[str, bool | None] = {}
    with connection.session() as session:
        on = HostFiles(host, session)
        for instance in applied:
            last = known[instance.name]
            secrets = InstanceSecrets(resolver, on, layout, instance.name, last)
            differences[instance.name] = secrets.differ(instance)
        if gateway:
            differences[GATEWAY] = GatewaySecrets(resolver, on, layout, record).differ()
        if watching and record.monitoring is not None:
            secrets_there = ServerSecrets(resolver, on, layout)
            differences[MONITORING] = secrets_there.differ(record.monitoring.spec)
    return ComparedSecrets(
        changed=frozenset(n for n, differs in differences.items() if differs),
        kept=frozenset(n for n, differs in differences.items() if differs is None),
    )
