"""What a bundle holds: the only part that is signed, and that proves all the others."""

import hashlib
import json
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from xgen_deploy.bounded_json import read_json
from xgen_deploy.errors import XgenError
from xgen_deploy.frozen import Frozen
from xgen_deploy.state.artifact import MOST_FILES, Artifact, RelativePath, Sha256
from xgen_deploy.state.bundle import Serial
from xgen_deploy.state.facts import GGUFFacts
from xgen_deploy.state.oci_image import OciImage
from xgen_deploy.state.origin import Origin

FORMAT = 1
# Of the index; a terabyte of models needs about 2 MiB.
LONGEST = 64 << 20
CHUNK = 16 << 20
_MOST = 100_000
_SHOWN = 200
Text = Annotated[str, Field(max_length=2000)]
Size = Annotated[int, Field(ge=0, le=1 << 50)]


class Blob(Frozen):
    """Bytes by their SHA-256, and that of each 16 MiB. They lie in the volumes one after the other,
    in the order of the index; one that is not `held` was left out, for it is at the site already.
    """

    sha256: Sha256
    size: Size
    chunks: Annotated[tuple[Sha256, ...], Field(max_length=_MOST)] = ()
    held: bool = True


class Member(Frozen):
    """A file by its name, and the blob that it is."""

    path: RelativePath
    sha256: Sha256


class ManifestPart(Frozen):
    """The manifest and what it extends, `main` the manifest itself, `variables` those of `-e`.
    `inventory` is written anew, of what is used of it."""

    main: RelativePath
    files: Annotated[tuple[Member, ...], Field(min_length=1, max_length=_MOST)]
    inventory: RelativePath | None = None
    addresses: bool = True
    variables: Annotated[tuple[Text, ...], Field(max_length=1000)] = ()


class ModelPart(Frozen):
    """A model as the manifest asks for it, and what its source had. `local` is a path where the
    bundle was made: from the manifest's folder, and in full. `blobs` are those of the artifact's
    files.
    """

    source: Text
    revision: Text = "main"
    patterns: tuple[Text, ...] = ()
    code: bool = False
    local: tuple[Text, Text] | None = None
    sha256: Text | None = None
    artifact: Artifact
    blobs: Annotated[tuple[Sha256, ...], Field(max_length=MOST_FILES)]
    gguf: GGUFFacts | None = None
    config: dict[str, object] | None = None
    config_format: Literal["mistral"] | None = None


class ImagePart(Frozen):
    """A container image, by the name that the manifest has for it. Its blobs have the digests that
    it gives them."""

    name: Text
    image: OciImage
    origin: Text


class FilePart(Frozen):
    """A file that `bundle unpack` takes out. `name` and `version` are a wheel's; these, `origin`
    and `license` as far as they are known."""

    kind: Literal["wheel", "package", "bill", "requirements"]
    file: Member
    name: Text = ""
    version: Text = ""
    origin: Text = ""
    license: Text | None = None


class Index(Frozen):
    """`volumes` are the bytes of data in each volume. `needed` says which secrets the site has to
    provide, `lacking` what else the hosts need and this has not got. `git` and `origin` are the
    manifest's."""

    xgen_bundle: Literal[1] = 1
    project: Text
    serial: Serial
    created: Text
    tool: Text
    git: Text | None = None
    origin: Origin | None = None
    manifest: ManifestPart
    models: Annotated[tuple[ModelPart, ...], Field(max_length=MOST_FILES)] = ()
    images: Annotated[tuple[ImagePart, ...], Field(max_length=MOST_FILES)] = ()
    files: Annotated[tuple[FilePart, ...], Field(max_length=MOST_FILES)] = ()
    needed: Annotated[tuple[Text, ...], Field(max_length=_MOST)] = ()
    lacking: Annotated[tuple[Text, ...], Field(max_length=_MOST)] = ()
    blobs: Annotated[tuple[Blob, ...], Field(max_length=_MOST)]
    volumes: Annotated[tuple[Size, ...], Field(min_length=1, max_length=1000)]

    @property
    def size(self) -> int:
        """Bytes of data."""
        return sum(blob.size for blob in self.blobs if blob.held)

    def encoded(self) -> bytes:
        values = self.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
        return json.dumps({"xgen_bundle": FORMAT, **values}, separators=(",", ":")).encode()


def read_index(content: bytes, name: str) -> Index:
    """`name` is the bundle's, for messages. Raises XgenError."""
    try:
        value = read_json(content, LONGEST)
        written = value.get("xgen_bundle") if isinstance(value, dict) else None
        if isinstance(written, int) and written > FORMAT:
            raise XgenError(
                f"{name} has format {written}, newer than this xgen-deploy knows ({FORMAT}); "
                "the tool that is in the bundle reads it"
            )
        index = Index.model_validate(value)
        _check(index)
    except (ValueError, ValidationError) as error:
        reason = str(error).splitlines()[0][:_SHOWN]
        raise XgenError(f"the index of {name} cannot be read: {reason}") from None
    return index


def _check(index: Index) -> None:
    """Raises ValueError where parts do not fit together."""
    blobs = {blob.sha256: blob for blob in index.blobs}
    if len(blobs) != len(index.blobs):
        raise ValueError("it has a blob twice")
    if any(len(b.chunks) != -(-b.size // CHUNK) for b in index.blobs if b.held):
        raise ValueError("a blob has another number of chunks than its size says")
    if sum(index.volumes) != index.size:
        raise ValueError("its volumes are longer or shorter than what is in them")
    members = [*index.manifest.files, *(part.file for part in index.files)]
    for digest in (*(m.sha256 for m in members), *(d for m in index.models for d in m.blobs)):
        if digest not in blobs:
            raise ValueError(f"it has no blob {digest}")
    for model in index.models:
        sizes = [blobs[digest].size for digest in model.blobs]
        if sizes != [file.size for file in model.artifact.files]:
            raise ValueError(f"the files of {model.source[:80]} are not those of its blobs")
    for part in index.images:
        for blob in part.image.blobs:
            if blob.sha256 not in blobs or blobs[blob.sha256].size != blob.size:
                raise ValueError(f"it has no blob {blob.digest} of {part.name[:80]}")
    if index.manifest.main not in {m.path for m in index.manifest.files}:
        raise ValueError("its manifest is not in it")


def digest_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
