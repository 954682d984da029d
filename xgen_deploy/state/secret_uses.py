"""The uses of secrets in a manifest: a reference is valid only for the use that states it."""

from collections.abc import Iterator, Mapping

from xgen_deploy.frozen import Frozen
from xgen_deploy.secret_text import Kind
from xgen_deploy.state.gateway import GatewaySpec
from xgen_deploy.state.monitoring import MonitoringSpec
from xgen_deploy.state.monitoring_config import Alerts, Grafana
from xgen_deploy.state.settings import SecretRef
from xgen_deploy.state.site import Site


class SecretUse(Frozen):
    """One place that a secret is for. `host` is "" for what is the same on every gateway, and for
    `notify`.
    """

    host: str = ""
    owner: str
    field: str
    kind: Kind = "key"


GATEWAY_KEY = SecretUse(owner="gateway", field="api_key")
HUB_TOKEN = SecretUse(owner="fetch", field="token")
PROXY = SecretUse(owner="fetch", field="proxy", kind="url")
WEBHOOK = SecretUse(owner="notify", field="webhook", kind="url")
SCRAPE_TOKEN = SecretUse(owner="monitoring", field="token")
ALERT_WEBHOOK = SecretUse(owner="monitoring", field="alerts.webhook", kind="url")
HEARTBEAT = SecretUse(owner="monitoring", field="alerts.heartbeat", kind="url")
MAIL_PASSWORD = SecretUse(owner="monitoring", field="alerts.email.password", kind="env")
GRAFANA_PASSWORD = SecretUse(owner="monitoring", field="grafana.admin_password", kind="env")
AUDIT_WEBHOOK = SecretUse(owner="audit", field="webhook", kind="url")


def registry_password(registry: str) -> SecretUse:
    """Of a login for pulls."""
    return SecretUse(owner="registries", field=f"{registry}.password", kind="env")


def prometheus_password(user: str) -> SecretUse:
    """Of one who may look at Prometheus."""
    return SecretUse(owner="monitoring", field=f"users.{user}", kind="env")


def client_key(client: str) -> SecretUse:
    """The key of one of a gateway's clients."""
    return SecretUse(owner="gateway", field=f"clients.{client}")


def engine_key(host: str, instance: str) -> SecretUse:
    """The key that an instance's clients must send."""
    return SecretUse(host=host, owner=instance, field="api_key")


def engine_variable(host: str, instance: str, name: str) -> SecretUse:
    return SecretUse(host=host, owner=instance, field=f"env.{name}", kind="env")


def route_key(model: str) -> SecretUse:
    """The key that a gateway sends to the engines of a model."""
    return SecretUse(owner="gateway", field=f"api_key of {model}")


def instance_uses(
    host: str, name: str, api_key: SecretRef | None, env: Mapping[str, str | SecretRef]
) -> Iterator[tuple[SecretUse, SecretRef]]:
    """Every secret that an instance needs, with what it is for."""
    if api_key is not None:
        yield engine_key(host, name), api_key
    for variable, value in env.items():
        if isinstance(value, SecretRef):
            yield engine_variable(host, name, variable), value


def gateway_uses(spec: GatewaySpec) -> Iterator[tuple[SecretUse, SecretRef]]:
    """Every secret that a gateway needs, with what it is for."""
    if spec.api_key is not None:
        yield GATEWAY_KEY, spec.api_key
    for client in spec.clients:
        yield client_key(client.name), client.key
    for route in spec.routes:
        if route.api_key is not None:
            yield route_key(route.model), route.api_key


def monitoring_uses(spec: MonitoringSpec) -> Iterator[tuple[SecretUse, SecretRef]]:
    """Every secret that what watches a host needs, with what it is for."""
    if spec.exporter is not None and spec.exporter.token is not None:
        yield SCRAPE_TOKEN, spec.exporter.token
    server = spec.server
    if server is not None:
        yield from server_uses(server.token, server.users, server.alerts, server.grafana)


def server_uses(
    token: SecretRef | None,
    users: Mapping[str, SecretRef],
    alerts: Alerts | None,
    grafana: Grafana | None,
) -> Iterator[tuple[SecretUse, SecretRef]]:
    """Those of Prometheus and what belongs to it."""
    email = alerts.email if alerts else None
    stated = (
        (SCRAPE_TOKEN, token),
        *((prometheus_password(user), password) for user, password in users.items()),
        (ALERT_WEBHOOK, alerts.webhook if alerts else None),
        (HEARTBEAT, alerts.heartbeat if alerts else None),
        (MAIL_PASSWORD, email.password if email else None),
        (GRAFANA_PASSWORD, grafana.admin_password if grafana else None),
    )
    yield from ((use, ref) for use, ref in stated if ref is not None)


def stated_references(site: Site) -> dict[SecretUse, frozenset[SecretRef]]:
    """By use. What `--limit` cut off counts for the gateways: they serve it all the same."""
    refs_of: dict[SecretUse, set[SecretRef]] = {}
    for instance in (*site.declared, *site.elsewhere):
        for use, ref in instance_uses(instance.host, instance.name, instance.api_key, instance.env):
            refs_of.setdefault(use, set()).add(ref)
        if instance.api_key is not None:
            refs_of.setdefault(route_key(instance.model), set()).add(instance.api_key)
    if site.gateway is not None and site.gateway.api_key is not None:
        refs_of[GATEWAY_KEY] = {site.gateway.api_key}
    for name, client in ((site.gateway.clients if site.gateway else None) or {}).items():
        refs_of[client_key(name)] = {client.key}
    if (watching := site.monitoring) is not None:
        used = server_uses(watching.token, watching.users or {}, watching.alerts, watching.grafana)
        refs_of |= {use: {ref} for use, ref in used}
    if site.fetch.token is not None:
        refs_of[HUB_TOKEN] = {site.fetch.token}
    if isinstance(site.fetch.proxy, SecretRef):
        refs_of[PROXY] = {site.fetch.proxy}
    for registry, login in site.registries.items():
        refs_of[registry_password(registry)] = {login.password}
    if site.notify is not None and site.notify.webhook is not None:
        refs_of[WEBHOOK] = {site.notify.webhook}
    if site.audit is not None and site.audit.webhook is not None:
        refs_of[AUDIT_WEBHOOK] = {site.audit.webhook}
    return {use: frozenset(refs) for use, refs in refs_of.items()}
