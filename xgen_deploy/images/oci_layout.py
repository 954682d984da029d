"""A folder in OCI's image layout: blobs named by their digest, and an index of the images."""

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from xgen_deploy.bounded_json import read_json
from xgen_deploy.errors import XgenError
from xgen_deploy.state.oci_image import (
    MANIFEST,
    MOST_LAYERS,
    Blob,
    Digest,
    Layer,
    MediaType,
    OciImage,
)

# Of a manifest, a configuration and an index.
DOCUMENT = 8 << 20
NAME = "org.opencontainers.image.ref.name"
NAME_OF_CONTAINERD = "io.containerd.image.name"
INDEXES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
_MOST_IMAGES = 10_000


class ImageError(XgenError):
    """An image cannot be read; a clause, and what to do in `hint`."""

    def __init__(self, reason: str, hint: str = "") -> None:
        super().__init__(reason)
        self.reason, self.hint = reason, hint


class _Document(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


D = TypeVar("D", bound=_Document)


class _Platform(_Document):
    architecture: str = ""
    os: str = ""


class Descriptor(_Document):
    """As manifests and indexes name a blob."""

    media_type: MediaType = Field(alias="mediaType")
    digest: Digest
    size: Annotated[int, Field(ge=0, le=1 << 50)]
    annotations: dict[str, str] = Field(default_factory=dict)
    platform: _Platform | None = None

    @property
    def blob(self) -> Blob:
        return Blob(digest=self.digest, size=self.size, media_type=self.media_type)

    @property
    def name(self) -> str | None:
        return self.annotations.get(NAME_OF_CONTAINERD) or self.annotations.get(NAME)


class _Index(_Document):
    schema_version: Literal[2] = Field(alias="schemaVersion")
    manifests: Annotated[tuple[Descriptor, ...], Field(max_length=_MOST_IMAGES)]


class _Manifest(_Document):
    schema_version: Literal[2] = Field(alias="schemaVersion")
    config: Descriptor
    layers: Annotated[tuple[Descriptor, ...], Field(max_length=MOST_LAYERS)]


class _RootFS(_Document):
    diff_ids: Annotated[tuple[Digest, ...], Field(max_length=MOST_LAYERS)] = ()


class _Settings(_Document):
    entrypoint: tuple[str, ...] | None = Field(default=None, alias="Entrypoint")
    command: tuple[str, ...] | None = Field(default=None, alias="Cmd")
    env: tuple[str, ...] | None = Field(default=None, alias="Env")
    user: str | None = Field(default=None, alias="User")
    working_dir: str | None = Field(default=None, alias="WorkingDir")


class _Config(_Document):
    architecture: str
    config: _Settings | None = None
    rootfs: _RootFS = _RootFS()


class OciLayout:
    """Blobs are written aside and named once they are whole: what has its name is whole."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._blobs = folder / "blobs/sha256"

    def blob(self, digest: str) -> Path:
        return self._blobs / digest.removeprefix("sha256:")

    def has(self, blob: Blob) -> bool:
        with suppress(OSError):
            return self.blob(blob.digest).stat().st_size == blob.size
        return False

    def add(self, pieces: Iterator[bytes], digest: str | None = None) -> tuple[str, int]:
        """The digest and the size of what was stored. Raises ImageError where it is another than
        `digest`, and OSError."""
        self._blobs.mkdir(parents=True, exist_ok=True)
        handle, draft = tempfile.mkstemp(prefix=".draft-", dir=self._blobs)
        try:
            whole, size = hashlib.sha256(), 0
            with os.fdopen(handle, "wb") as file:
                for piece in pieces:
                    whole.update(piece)
                    size += len(piece)
                    file.write(piece)
                os.fchmod(file.fileno(), 0o644)
                file.flush()
                os.fsync(file.fileno())
            got = f"sha256:{whole.hexdigest()}"
            if digest is not None and got != digest:
                raise ImageError(f"blob {digest} is damaged: its SHA-256 is {got[7:]}")
            Path(draft).replace(self.blob(got))
        except BaseException:
            Path(draft).unlink(missing_ok=True)
            raise
        return got, size

    def add_document(self, content: bytes, media_type: str) -> Blob:
        """A manifest or a configuration. Raises OSError."""
        digest, size = self.add(iter([content]))
        return Blob(digest=digest, size=size, media_type=media_type)

    def name(self, image: OciImage, name: str) -> None:
        """Puts the image into the index; the name goes from any other. Raises OSError."""
        entry = {
            "mediaType": image.manifest.media_type,
            "digest": image.manifest.digest,
            "size": image.manifest.size,
            "platform": {"architecture": image.architecture, "os": "linux"},
            "annotations": {NAME_OF_CONTAINERD: name, NAME: name.rpartition(":")[2]},
        }
        others = [e for e in self._entries() if _name_in(e) != name]
        index = {"schemaVersion": 2, "mediaType": INDEXES[0], "manifests": [*others, entry]}
        self.folder.mkdir(parents=True, exist_ok=True)
        _write(self.folder / "oci-layout", {"imageLayoutVersion": "1.0.0"})
        _write(self.folder / "index.json", index)

    def names(self) -> dict[str, str]:
        """Name -> digest of its manifest. Raises ImageError."""
        try:
            index = self._index()
        except FileNotFoundError:
            return {}
        return {d.name: d.digest for d in index.manifests if d.name is not None}

    def named(self, name: str) -> OciImage | None:
        """Raises ImageError."""
        digest = self.names().get(name)
        return None if digest is None else self.image(digest)

    def image(self, digest: str, architecture: str | None = None) -> OciImage:
        """By the digest of its manifest, or of an index that has it for this architecture (or for
        one alone). Raises ImageError where anything of it is not here."""
        content = self.document(digest)
        value = _parsed(content, digest)
        if isinstance(value, dict) and "manifests" in value:
            return self._one_of(_checked(_Index, value, digest), architecture)
        manifest = _checked(_Manifest, value, digest)
        config = _checked(_Config, _parsed(self.document(manifest.config.digest), "its config"),
                          manifest.config.digest)  # fmt: skip
        if len(config.rootfs.diff_ids) != len(manifest.layers):
            raise ImageError(f"{digest} has another number of layers than its configuration")
        layers = tuple(
            Layer(blob=layer.blob, diff_id=diff_id)
            for layer, diff_id in zip(manifest.layers, config.rootfs.diff_ids, strict=True)
        )
        for layer in layers:
            if not self.has(layer.blob):
                raise ImageError(f"layer {layer.blob.digest} of {digest} is not there")
        stated = config.config or _Settings()
        return OciImage(
            manifest=Blob(digest=digest, size=len(content), media_type=_media_type(value)),
            config=manifest.config.blob,
            layers=layers,
            architecture=config.architecture,
            entrypoint=stated.entrypoint or (),
            command=stated.command or (),
            env=stated.env or (),
            user=stated.user or None,
            working_dir=stated.working_dir or None,
        )

    def _one_of(self, index: _Index, architecture: str | None) -> OciImage:
        """Others of the index may be missing: who saves an image has it for one platform only."""
        images, reason = [], "no image for Linux is in it"
        for entry in index.manifests:
            if entry.platform is not None and entry.platform.os not in ("linux", ""):
                continue  # attestations are for an unknown platform
            try:
                images.append(self.image(entry.digest, architecture))
            except ImageError as error:
                reason = str(error)
        fitting = [i for i in images if architecture in (None, i.architecture)] or images
        if not fitting:
            raise ImageError(reason)
        return fitting[0]

    def document(self, digest: str) -> bytes:
        """Raises ImageError."""
        try:
            with self.blob(digest).open("rb") as file:
                content = file.read(DOCUMENT + 1)
        except OSError:
            raise ImageError(f"{digest} is not there") from None
        if len(content) > DOCUMENT:
            raise ImageError(f"{digest} is no document: it is longer than {DOCUMENT >> 20} MiB")
        return content

    def _index(self) -> _Index:
        content = (self.folder / "index.json").read_bytes()
        return _checked(_Index, _parsed(content, "index.json"), "index.json")

    def _entries(self) -> list[dict[str, Any]]:
        with suppress(OSError, ValueError, TypeError, KeyError):
            return list(read_json((self.folder / "index.json").read_bytes(), DOCUMENT)["manifests"])
        return []


def read_index(content: bytes) -> tuple[Descriptor, ...]:
    """The entries of an `index.json`. Raises ImageError."""
    return _checked(_Index, _parsed(content, "index.json"), "index.json").manifests


def _name_in(entry: dict[str, Any]) -> str | None:
    annotations = entry.get("annotations") or {}
    name = annotations.get(NAME_OF_CONTAINERD) or annotations.get(NAME)
    return name if isinstance(name, str) else None


def _media_type(value: Any) -> str:
    stated = value.get("mediaType") if isinstance(value, dict) else None
    return stated if isinstance(stated, str) else MANIFEST


def _parsed(content: bytes, what: str) -> Any:
    try:
        return read_json(content, DOCUMENT)
    except ValueError as error:
        raise ImageError(f"{what} is malformed: {error}") from None


def _checked(kind: type[D], value: Any, what: str) -> D:
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise ImageError(f"{what} is malformed: {place}: {first['msg']}") from None


def _write(path: Path, value: object) -> None:
    draft = path.with_name(f"{path.name}.{os.getpid()}.draft")
    draft.write_text(json.dumps(value))
    draft.replace(path)
