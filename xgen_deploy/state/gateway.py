"""The resolved spec of a gateway on one host, which decides whether it has changed."""

import hashlib
import json

from pydantic import Field

from xgen_deploy.frozen import Frozen, Moment, replace
from xgen_deploy.state.facts import DOCKER_UNIT, UnitName
from xgen_deploy.state.field_types import Address, ClientName, Port, Rate
from xgen_deploy.state.gateway_fields import MAX_BODY, BodySize, Origin
from xgen_deploy.state.routes import Route, Server
from xgen_deploy.state.settings import GatewayTLS, SecretRef
from xgen_deploy.state.stopped import Stopped

GATEWAY = "gateway"
SPEC_VERSION = 1
PRIVILEGED = 1024


class Client(Frozen):
    """A client with a key of its own. `models` None: it may use all of them."""

    name: ClientName
    key: SecretRef
    models: tuple[str, ...] | None = None
    rate: Rate | None = None


class GatewaySpec(Frozen):
    """HAProxy as `binary` of the host or in `image`; `image_state` is the image's ID. A field
    left at its default does not enter the digest. `queue_timeout` in seconds, `max_body` in bytes.
    """

    spec_version: int = SPEC_VERSION
    binary: str | None = None
    image: str | None = None
    image_state: str | None = None
    entrypoint: tuple[str, ...] | None = None
    docker_cli: str = "/usr/bin/docker"
    docker_unit: UnitName = DOCKER_UNIT
    docker_userns: bool = False
    listen: Address = "127.0.0.1"
    port: Port
    tls: GatewayTLS | None = None
    api_key: SecretRef | None = None
    clients: tuple[Client, ...] = ()
    queue_timeout: float = 60.0
    cors: tuple[Origin, ...] = ()
    max_body: BodySize = MAX_BODY
    routes: tuple[Route, ...] = ()

    @property
    def servers(self) -> tuple[Server, ...]:
        return tuple(s for route in self.routes for s in route.servers)

    @property
    def without_servers(self) -> "GatewaySpec":
        routes = tuple(replace(route, servers=()) for route in self.routes)
        return replace(self, routes=routes)

    @property
    def secrets(self) -> tuple[SecretRef, ...]:
        """Every secret that the gateway needs, each once."""
        clients = (c.key for c in self.clients)
        refs = [self.api_key, *clients, *(r.api_key for r in self.routes)]
        return tuple(dict.fromkeys(r for r in refs if r is not None))

    @property
    def asks_for_key(self) -> bool:
        return self.api_key is not None or bool(self.clients)

    def key_for(self, model: str) -> SecretRef | None:
        """A key with which the model can be asked: the common one, else a client's."""
        allowed = (c.key for c in self.clients if c.models is None or model in c.models)
        return self.api_key or next(allowed, None)

    @property
    def digest(self) -> str:
        """SHA-256 over the canonical JSON of what was asked for."""
        stated = self.model_dump(mode="json", exclude_defaults=True)
        text = json.dumps(stated | {"spec_version": self.spec_version}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def needs_restart(self, before: "GatewaySpec") -> bool:
        """Whether a reload is not enough, because the process itself changes."""
        return self._process() != before._process()

    def _process(self) -> tuple[object, ...]:
        image = (self.image, self.image_state, self.entrypoint)
        docker = (self.docker_unit, self.docker_userns)
        return (self.binary, *image, *docker, self.tls, self.port < PRIVILEGED)


class GatewayRecord(Frozen):
    """The gateway as it was last applied on a host with success. `files` maps each file without
    secrets to the SHA-256 of its content; `unit_version` as in InstanceRecord,
    `config_version` the same of its configuration; `invocation` is systemd's id of its start.
    """

    spec: GatewaySpec
    digest: str
    files: dict[str, str] = Field(default_factory=dict)
    applied_at: Moment | None = None
    apply: int | None = None
    unit_version: int = 1
    config_version: int = 1
    stopped: Stopped | None = None
    invocation: str | None = None
