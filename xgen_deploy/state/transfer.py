"""What a host is asked to bring, as the program there reads it (transfer/remote/transfer.py)."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Literal

from xgen_deploy.frozen import Frozen
from xgen_deploy.state.oci_image import Blob, Layer, Store

Route = Literal["download", "receive", "peer"]


@dataclass(frozen=True, kw_only=True)
class WantedFile:
    """`place` is absolute on the host. `sha1` is git's name of a blob. `chunks` are the SHA-256 of
    each 16 MiB, where they are known; `url` is where the host itself would get it."""

    place: str
    size: int
    sha256: str | None = None
    sha1: str | None = None
    chunks: tuple[str, ...] | None = None
    url: str | None = None


@dataclass(frozen=True, kw_only=True)
class Link:
    """A symbolic link; `target` is relative to it."""

    path: str
    target: str


@dataclass(frozen=True, kw_only=True)
class Text:
    path: str
    content: str


@dataclass(frozen=True, kw_only=True)
class Unpack:
    """An engine build among the files: `archive`, of this content, is unpacked into `folder`, once
    `program` in there was seen to run, and with `serves_gguf` to load a model and answer; without
    rights, or with those of the login."""

    archive: str
    sha256: str
    folder: str
    program: str
    serves_gguf: bool = False
    as_login: bool = False


@dataclass(frozen=True, kw_only=True)
class Quantize:
    """A file to be made of another (transfer/remote/quantize.py). `number` is how its header tells
    the type; `note` is kept with it: its recipe, what it was made `of`, and `by` which version. The
    others as in state/quantize.py."""

    program: str
    source: str
    sha256: Mapping[str, str]
    place: str
    file_type: str
    number: int
    size: int
    threads: int
    slab: int
    requantizes: bool
    engine: str | None
    as_login: bool
    note: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Access:
    """How a host reaches the web. `token` is sent to the origin of a file's `url` and no other."""

    token: str | None = None
    proxy: str | None = None
    ca: str | None = None


@dataclass(frozen=True, kw_only=True)
class Peer:
    """The host before this one. `certificate` is the SHA-256 of its DER form."""

    name: str
    address: str
    port: int
    token: str
    certificate: str


@dataclass(frozen=True, kw_only=True)
class Serving:
    """How this host hands its files to the next one, which comes from one of the addresses `to`.
    `identity` is its certificate and key as PEM text."""

    address: str
    port: int
    to: tuple[str, ...]
    token: str
    identity: str


@dataclass(frozen=True, kw_only=True)
class ImageLoad:
    """An image that the host's Docker is to take once its files are whole. They lie in `folder`,
    named by their digests; a layer that is not there is one that the daemon has. `store` is how it
    keeps images."""

    name: str
    store: Store
    folder: str
    manifest: Blob
    config: Blob
    layers: tuple[Layer, ...]


@dataclass(frozen=True, kw_only=True)
class TransferRequest:
    """Files, then links and texts once all of them are whole, and what is unpacked of them. `root`
    is the folder of models, where it is noted what was brought, and from where (`origin`).
    `limit_rate`: bytes a second, 0: none. `alone`: where nobody is connected and the host before it
    is lost, it asks the source itself."""

    files: tuple[WantedFile, ...]
    route: Route
    links: tuple[Link, ...] = ()
    texts: tuple[Text, ...] = ()
    unpack: Unpack | None = None
    quantize: Quantize | None = None
    root: str | None = None
    origin: str = ""
    access: Access = field(default_factory=Access)
    peer: Peer | None = None
    serving: Serving | None = None
    limit_rate: int = 0
    alone: bool = False
    image: ImageLoad | None = None

    def line(self) -> bytes:
        """Without a newline."""
        return json.dumps(asdict(self), default=Frozen.model_dump).encode()


@dataclass(frozen=True, kw_only=True)
class DetachedRequest:
    """Transfers that go on without a connection, one after another, each with its name for people;
    `state` is the file that tells how they go."""

    state: str
    names: tuple[str, ...]
    jobs: tuple[TransferRequest, ...]

    def line(self) -> bytes:
        """Without a newline."""
        return json.dumps(asdict(self), default=Frozen.model_dump).encode()
