"""A container image as the OCI's formats describe it: blobs known by their SHA-256."""

import hashlib
import json
import re
from typing import Annotated, Literal

from pydantic import Field

from xgen_deploy.frozen import Frozen

MOST_LAYERS = 500
GZIP, ZSTD = "+gzip", "+zstd"
LAYER = "application/vnd.oci.image.layer.v1.tar"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"

_DIGEST = "^sha256:[0-9a-f]{64}$"
Digest = Annotated[str, Field(pattern=_DIGEST)]
Store = Literal["classic", "containerd"]
MediaType = Annotated[str, Field(pattern=r"^[A-Za-z0-9.+/_-]{1,200}$")]


def is_digest(text: str) -> bool:
    return re.match(_DIGEST, text) is not None


class Blob(Frozen):
    """`size` in bytes."""

    digest: Digest
    size: Annotated[int, Field(ge=0, le=1 << 50)]
    media_type: MediaType

    @property
    def sha256(self) -> str:
        return self.digest.removeprefix("sha256:")


class Layer(Frozen):
    """`diff_id` is the digest of its tar without compression: what a host knows it by."""

    blob: Blob
    diff_id: Digest

    @property
    def is_zstd(self) -> bool:
        return self.blob.media_type.endswith(("+zstd", ".zstd"))


class OciImage(Frozen):
    """One image for one platform. Its ID is `config.digest` on Docker's classic store, and
    `manifest.digest` on containerd's. `entrypoint` to `working_dir` are from its configuration."""

    manifest: Blob
    config: Blob
    layers: Annotated[tuple[Layer, ...], Field(max_length=MOST_LAYERS)]
    architecture: str
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    env: tuple[str, ...] = ()
    user: str | None = None
    working_dir: str | None = None

    @property
    def blobs(self) -> tuple[Blob, ...]:
        """All that it consists of, each once."""
        every = (self.manifest, self.config, *(layer.blob for layer in self.layers))
        return tuple({blob.digest: blob for blob in every}.values())

    @property
    def size(self) -> int:
        """Bytes of all layers, as they are stored."""
        return sum(layer.blob.size for layer in self.layers)

    @property
    def settings(self) -> str:
        """The same of all daemons for the same image (probe/remote/docker_layers.py)."""
        values = (
            self.entrypoint, self.command, self.env, self.user or "", self.working_dir or "",
        )  # fmt: skip
        return hashlib.sha256(json.dumps(values).encode()).hexdigest()

    @property
    def diff_ids(self) -> tuple[str, ...]:
        return tuple(layer.diff_id for layer in self.layers)
