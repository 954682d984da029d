"""What watches one host, resolved, and the record of it. Pure.

A host with instances or a gateway has an exporter; the monitoring host has Prometheus besides, and
what belongs to it.
"""

import hashlib
import json
from typing import Annotated, Final, Literal

from pydantic import Field

from xgen_deploy.frozen import Frozen, Moment
from xgen_deploy.state.field_types import AbsolutePath, Address, Port
from xgen_deploy.state.monitoring_config import (
    ALERTMANAGER,
    GRAFANA,
    PROMETHEUS,
    Alerts,
    Grafana,
)
from xgen_deploy.state.settings import GatewayTLS, SecretRef

SPEC_VERSION = 1
_MOST = 4096
# As systemd has it: all that show the token.
ANYBODY: Final = "any"
Asking = Address | Literal["any"]


class ExporterSpec(Frozen):
    """`listen` is where it waits, `address` how the monitoring host reaches it: its certificate is
    for that. `allow` are the addresses that may ask it besides loopback, `any` among them.
    `token` None: the monitoring host has made one. Whom it asks follows the record.
    """

    listen: Address = "127.0.0.1"
    address: str = "127.0.0.1"
    port: Port
    allow: tuple[Asking, ...] = ()
    textfile: AbsolutePath | None = None
    token: SecretRef | None = None


class Program(Frozen):
    """Prometheus, Alertmanager or Grafana: a `binary` of the host."""

    binary: AbsolutePath


class Target(Frozen):
    """An exporter as Prometheus reaches it. `certificate` is the SHA-256 that its certificate is
    known by; None before there is one.
    """

    host: str
    address: str
    port: Port
    certificate: str | None = None


class ServerSpec(Frozen):
    """Prometheus and what belongs to it; `alertmanager` and `grafana_program` where they run."""

    prometheus: Program
    alertmanager: Program | None = None
    grafana_program: Program | None = None
    listen: Address = "127.0.0.1"
    port: Port
    retention: str
    retention_size: str | None = None
    interval: float = 15.0
    tls: GatewayTLS | None = None
    users: dict[str, SecretRef] = Field(default_factory=dict)
    alerts: Alerts | None = None
    grafana: Grafana | None = None
    token: SecretRef | None = None
    targets: Annotated[tuple[Target, ...], Field(max_length=_MOST)] = ()


class MonitoringSpec(Frozen):
    """All that watches on one host. A field left at its default does not enter the digest."""

    spec_version: int = SPEC_VERSION
    exporter: ExporterSpec | None = None
    server: ServerSpec | None = None

    @property
    def programs(self) -> tuple[str, ...]:
        """Those that run besides the exporter."""
        server = self.server
        if server is None:
            return ()
        optional = ((ALERTMANAGER, server.alertmanager), (GRAFANA, server.grafana_program))
        return (PROMETHEUS, *(name for name, program in optional if program is not None))

    @property
    def secrets(self) -> tuple[SecretRef, ...]:
        """Every secret that it needs, each once."""
        refs = [self.exporter.token] if self.exporter else []
        if self.server is not None:
            refs += [self.server.token, *self.server.users.values()]
            alerts, grafana = self.server.alerts, self.server.grafana
            refs += [alerts.webhook, alerts.heartbeat] if alerts else []
            refs += [alerts.email.password] if alerts and alerts.email else []
            refs += [grafana.admin_password] if grafana else []
        return tuple(dict.fromkeys(r for r in refs if r is not None))

    @property
    def needs_token(self) -> bool:
        """Whether its exporter takes what is made on another host."""
        return self.server is None and self.exporter is not None and self.exporter.token is None

    @property
    def digest(self) -> str:
        """SHA-256 over the canonical JSON of what was asked for."""
        stated = self.model_dump(mode="json", exclude_defaults=True)
        text = json.dumps(stated | {"spec_version": self.spec_version}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


def certificate_digest(certificate: str) -> str:
    """What a target's certificate is known by."""
    return hashlib.sha256(certificate.encode()).hexdigest()


def pem_text(certificate: str) -> str:
    """As files have it."""
    lines = [certificate[at : at + 64] for at in range(0, len(certificate), 64)]
    return "\n".join(["-----BEGIN CERTIFICATE-----", *lines, "-----END CERTIFICATE-----", ""])


class MonitoringRecord(Frozen):
    """What watches a host as it was last applied with success. `files` maps each file without
    secrets to the SHA-256 of its content; `certificate` is the exporter's (base64), `token_digest`
    the SHA-256 of what it is asked with. `certificate_ends`: when it is no longer valid.
    `unit_version` as in InstanceRecord.
    """

    spec: MonitoringSpec
    digest: str
    files: dict[str, str] = Field(default_factory=dict)
    certificate: Annotated[str, Field(pattern="^[A-Za-z0-9+/=]{1,8192}$")] | None = None
    certificate_ends: Moment | None = None
    token_digest: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = None
    applied_at: Moment | None = None
    apply: int | None = None
    unit_version: int = 1
