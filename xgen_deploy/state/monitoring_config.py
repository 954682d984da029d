"""The manifest's `monitoring:`, as values. Pure."""

import ipaddress
import re
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from xgen_deploy.frozen import Frozen
from xgen_deploy.state.field_types import (
    AbsolutePath,
    Address,
    ClientName,
    Flag,
    PeerAddress,
    Port,
    Seconds,
    Size,
    Word,
)
from xgen_deploy.state.settings import GatewayTLS, SecretRef

PROMETHEUS, ALERTMANAGER, GRAFANA = "prometheus", "alertmanager", "grafana"
EXPORTER, MONITORING = "exporter", "monitoring"
# Names on a host that no instance has where there is monitoring.
MONITORING_NAMES = (MONITORING, EXPORTER, PROMETHEUS, ALERTMANAGER, GRAFANA)
_RETENTION = re.compile(r"[1-9]\d{0,4}[hdwy]")
_MAIL = re.compile(r"[^@\s<>,]{1,64}@[A-Za-z0-9.-]{1,253}")
_SMARTHOST = re.compile(r"[A-Za-z0-9.-]{1,253}:[1-9]\d{0,4}")


def _retention(value: str) -> str:
    if not _RETENTION.fullmatch(value):
        raise ValueError("how long values are kept is text such as 100d, 12w, 1y")
    return value


def _mail_address(value: str) -> str:
    if not _MAIL.fullmatch(value):
        raise ValueError("a mail address is one such as oncall@example.net")
    return value


def _smarthost(value: str) -> str:
    if not _SMARTHOST.fullmatch(value):
        raise ValueError("a mail server is HOST:PORT, such as mail.example.net:587")
    return value


Retention = Annotated[
    str, AfterValidator(_retention), Field(json_schema_extra={"pattern": f"^{_RETENTION.pattern}$"})
]
MailAddress = Annotated[str, AfterValidator(_mail_address)]
Smarthost = Annotated[str, AfterValidator(_smarthost)]
Interval = Annotated[Seconds, Field(ge=5, le=300)]


class Email(Frozen):
    """Where Alertmanager sends mail, and through which server."""

    to: MailAddress
    sender: MailAddress = Field(description="The address that it comes from.")
    smarthost: Smarthost = Field(description="The mail server, HOST:PORT.")
    user: Word | None = Field(default=None, description="Login at the mail server.")
    password: SecretRef | None = None
    require_tls: Flag | None = Field(
        default=None, description="Refuse a mail server without TLS; true unless stated."
    )

    @model_validator(mode="after")
    def _both(self) -> Self:
        if (self.user is None) != (self.password is None):
            raise ValueError("a login at the mail server is `user` and `password`; give both")
        return self


class Alerts(Frozen):
    """Alertmanager, and whom it tells."""

    webhook: SecretRef | None = Field(default=None, description="URL that alerts are posted to.")
    email: Email | None = None
    heartbeat: SecretRef | None = Field(
        default=None,
        description="URL that is posted to as long as alerts can be sent: a dead man's switch.",
    )
    port: Port = Field(
        default=9093, description="Alertmanager's port, on loopback; 9093 unless stated."
    )

    @property
    def has_receiver(self) -> bool:
        return self.webhook is not None or self.email is not None


class Grafana(Frozen):
    """Grafana on the monitoring host, or the files for one that is there already."""

    port: Port = Field(default=3000, description="3000 unless stated.")
    admin_password: SecretRef | None = Field(
        default=None, description="Of the user `admin`; required unless `provision` is given."
    )
    provision: AbsolutePath | None = Field(
        default=None,
        description="The provisioning folder, on the monitoring host, of a Grafana that is there: "
        "data source and dashboards are written beneath it, and no Grafana is run.",
    )

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.provision is None and self.admin_password is None:
            raise ValueError(
                "`admin_password` is missing: Grafana is not run with the password that everybody "
                "knows; for a Grafana that is there already give `provision: DIR`"
            )
        if self.provision is not None and self.admin_password is not None:
            raise ValueError("with `provision` no Grafana is run; leave `admin_password` out")
        return self


class Monitoring(Frozen):
    """Prometheus on one host, an exporter on each. `interval` in seconds after reading."""

    host: str = Field(description="The host that Prometheus runs on.")
    listen: Address = Field(
        default="127.0.0.1",
        description="Address of Prometheus and Grafana; beyond loopback `tls` and `users` are "
        "required.",
    )
    port: Port = Field(default=9090, description="Prometheus' port; 9090 unless stated.")
    retention: Retention = Field(
        default="100d", description="How long values are kept; 100d unless stated."
    )
    retention_size: Size | None = Field(
        default=None, description="How much disk they may take, such as 20G; whichever comes first."
    )
    interval: Interval = Field(
        default=15.0, description="How often each host is asked: 5s to 5m, 15s unless stated."
    )
    tls: GatewayTLS | None = Field(
        default=None, description="Certificate and key of Prometheus and Grafana, on that host."
    )
    users: dict[ClientName, SecretRef] | None = Field(
        default=None, description="Logins of Prometheus: each user's password."
    )
    alerts: Alerts | None = None
    grafana: Grafana | None = None
    textfile: AbsolutePath | None = Field(
        default=None,
        description="A folder that a node exporter reads on each host: the host's metrics are "
        "written there once a minute too.",
    )
    allow: tuple[PeerAddress, ...] | None = Field(
        default=None,
        description="IP addresses of other Prometheus servers, which may ask the exporters too.",
    )
    exporter_port: Port = Field(
        default=9809, description="Port of the exporter on every host; 9809 unless stated."
    )
    token: SecretRef | None = Field(
        default=None,
        description="What Prometheus shows to the exporters; made on the monitoring host unless "
        "stated.",
    )

    @property
    def is_open(self) -> bool:
        """Whether others than the monitoring host itself can reach Prometheus."""
        return not ipaddress.ip_address(self.listen).is_loopback
