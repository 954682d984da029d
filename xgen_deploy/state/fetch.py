"""What the manifest states of bringing files, and what a host lacks and is to get."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from xgen_deploy.frozen import Frozen
from xgen_deploy.state.artifact import Artifact
from xgen_deploy.state.field_types import Size, Word, size_bytes, web_origin
from xgen_deploy.state.oci_image import Store
from xgen_deploy.state.settings import SecretRef
from xgen_deploy.state.source import read_source
from xgen_deploy.state.transfer import Link, Text, Unpack, WantedFile

FetchMode = Literal["auto", "host", "push", "never"]
Route = Literal["host", "push", "peer"]
Endpoint = Annotated[Word, AfterValidator(web_origin)]
PEER_PORT = 8099
PROXY_PORT = 3128
_PORT = re.compile(r":\d{1,5}$")
HUGGING_FACE = "https://huggingface.co"
MODELSCOPE = "https://www.modelscope.cn"


class ModelFetch(Frozen):
    """How a model's files are brought, with more than its mode."""

    mode: FetchMode | None = Field(default=None, description="auto unless stated.")
    files: tuple[Word, ...] | None = Field(
        default=None,
        description="Patterns of the repository's files to bring, in place of what an engine "
        "loads as a rule.",
    )


class FetchSettings(Frozen):
    """How models' files are brought to hosts."""

    endpoint: Endpoint | None = Field(
        default=None,
        description="The hub: a mirror, or one of your own; Hugging Face unless stated.",
    )
    protocol: Literal["huggingface", "modelscope"] | None = Field(
        default=None,
        description="What the hub speaks: huggingface unless stated; with modelscope the endpoint "
        "is ModelScope unless stated, and `revision: main` its master.",
    )
    token: SecretRef | None = Field(
        default=None, description="For gated repositories; sent to the endpoint alone."
    )
    proxy: Endpoint | SecretRef | None = Field(
        default=None, description="http://host:port; with a login in it, a secret."
    )
    ca: str | None = Field(
        default=None,
        description="PEM file of a certificate authority to trust besides the system's; relative "
        "to this manifest.",
    )
    limit_rate: Size | None = Field(
        default=None, description="Most bytes a second of each transfer, such as 200M."
    )
    allow: tuple[Word, ...] | None = Field(
        default=None,
        description="The only sources: patterns of repositories (Qwen/*) and beginnings of "
        "addresses (https://files.example.net/).",
    )

    @property
    def rate(self) -> int:
        """Bytes a second, 0: no limit."""
        return size_bytes(self.limit_rate) if self.limit_rate else 0

    @property
    def hub(self) -> str:
        """Its address."""
        return self.endpoint or (MODELSCOPE if self.protocol == "modelscope" else HUGGING_FACE)

    def contact(self, source: str) -> str | None:
        """host:port that is connected to for a source; None for what needs none, and where only a
        secret tells the proxy."""
        read = read_source(source)
        if read.kind == "path" or isinstance(self.proxy, SecretRef):
            return None
        address = read.url if read.repository is None else self.hub
        scheme, _, rest = (self.proxy or address or "").partition("://")
        host = rest.partition("/")[0].rpartition("@")[2]
        port = PROXY_PORT if self.proxy else 443 if scheme == "https" else 80
        return host if _PORT.search(host) else f"{host}:{port}"


@dataclass(frozen=True)
class Places:
    """Where an artifact lies on a host. `path` is what its engine is pointed at, `root` the folder
    of models that all of it is in."""

    path: str
    root: str
    files: tuple[WantedFile, ...]
    links: tuple[Link, ...] = ()
    texts: tuple[Text, ...] = ()
    unpack: Unpack | None = None


@dataclass(frozen=True, kw_only=True)
class Lacking:
    """An artifact that a host has not got, and where it is to lie. `key` is the model's in the
    probe's answers, `instances` are those that load it, `mode`
    is what the manifest says of bringing it."""

    key: str
    artifact: Artifact
    places: Places
    mode: FetchMode
    instances: tuple[str, ...]


@dataclass(frozen=True)
class Leg:
    """How one host gets an artifact; `before` is the host that it takes it from. `token`: it is
    given the hub's. `alone`: it may ask the source itself, should the host before it be lost.
    `because` is why it is pushed, where that was not stated."""

    host: str
    route: Route
    before: str | None = None
    token: bool = False
    alone: bool = False
    because: str = ""


@dataclass(frozen=True, kw_only=True)
class Fetch:
    """One artifact on its way to hosts: `chains` as files/routes.py makes them; `places` and the
    bytes `free` there are by host, and so is how its Docker keeps images. `seconds` is about how
    long it takes, where the last transfer there tells.
    """

    artifact: Artifact
    chains: tuple[tuple[Leg, ...], ...]
    places: Mapping[str, Places]
    free: Mapping[str, int]
    stores: Mapping[str, Store] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)

    @property
    def hosts(self) -> tuple[str, ...]:
        return tuple(leg.host for chain in self.chains for leg in chain)
