"""What watches one host, resolved, and the record of it. Pure.

A host with instances or a gateway has an exporter; the monitoring host has Prometheus besides, and
what belongs to it.
"""

import hashlib
import json
from typing import Annotated

from pydantic import Field

from xgen_deploy.frozen import Frozen, Moment
from xgen_deploy.state.facts import DOCKER_UNIT, UnitName
from xgen_deploy.state.field_types import AbsolutePath, Address, Port
from xgen_deploy.state.monitoring_config import Alerts, Grafana
from xgen_deploy.state.settings import GatewayTLS, SecretRef

SPEC_VERSION = 1
_MOST = 4096


class WatchedEngine(Frozen):
    """One instance as the exporter on its host asks it, on loopback. `name_on_host` is the
    instance with the slot that it lies in (see layout.py), `metrics_port` where its metrics are.
    `has_key`: they are given only to who shows the engine's key. The objectives are in seconds.
    """

    instance: str
    name_on_host: str
    model: str
    backend: str
    address: Address = "127.0.0.1"
    port: Port
    has_key: bool = False
    ttft_p95: float | None = None
    tpot_p95: float | None = None


class ExporterSpec(Frozen):
    """`allow` are the addresses that may ask it besides loopback, `listen` where it waits.
    `gateway`: HAProxy runs on this host. `token` None: the monitoring host has made one.
    """

    listen: Address = "127.0.0.1"
    port: Port
    allow: tuple[Address, ...] = ()
    interval: float = 15.0
    textfile: AbsolutePath | None = None
    token: SecretRef | None = None
    gateway: bool = False
    engines: Annotated[tuple[WatchedEngine, ...], Field(max_length=_MOST)] = ()


class Program(Frozen):
    """Prometheus, Alertmanager or Grafana: a `binary` of the host or an `image`, whose ID is
    `image_state`.
    """

    binary: AbsolutePath | None = None
    image: str | None = None
    image_state: str | None = None


class Target(Frozen):
    """An exporter as Prometheus reaches it. `certificate` is its SHA-256 (of the PEM text); None
    before there is one.
    """

    host: str
    address: str
    port: Port
    certificate: str | None = None


class ServerSpec(Frozen):
    """Prometheus and what belongs to it. `runtime` as in Program: those that run here."""

    prometheus: Program
    alertmanager: Program | None = None
    grafana_program: Program | None = None
    docker_cli: str = "/usr/bin/docker"
    docker_unit: UnitName = DOCKER_UNIT
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
    def digest(self) -> str:
        """SHA-256 over the canonical JSON of what was asked for."""
        stated = self.model_dump(mode="json", exclude_defaults=True)
        text = json.dumps(stated | {"spec_version": self.spec_version}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


class MonitoringRecord(Frozen):
    """What watches a host as it was last applied with success. `files` maps each file without
    secrets to the SHA-256 of its content; `certificate` is the exporter's (PEM), `token_digest`
    the SHA-256 of what it is asked with. `unit_version` as in InstanceRecord.
    """

    spec: MonitoringSpec
    digest: str
    files: dict[str, str] = Field(default_factory=dict)
    certificate: Annotated[str, Field(max_length=16 << 10)] | None = None
    token_digest: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = None
    applied_at: Moment | None = None
    apply: int | None = None
    unit_version: int = 1
