"""The lock file beside a manifest: what its sources meant when they were looked at, to the byte."""

import posixpath
from typing import Annotated, Literal

from pydantic import Field

from xgen_deploy.frozen import Frozen
from xgen_deploy.state.artifact import MOST_FILES, RelativePath, Sha1, Sha256
from xgen_deploy.state.facts import GGUFFacts, PushedImage
from xgen_deploy.state.image_name import full_name
from xgen_deploy.state.locked import Locked
from xgen_deploy.state.oci_image import Digest
from xgen_deploy.state.source_request import Request

FORMAT = 1


class LockedFile(Frozen):
    """As ArtifactFile. One of an address may have no digest: then its length is all that is
    known."""

    path: RelativePath
    size: Annotated[int, Field(ge=0, le=1 << 50)]
    sha256: Sha256 | None = None
    sha1: Sha1 | None = None


class LockedModel(Frozen):
    """A source that instances of `models` load from. `source` to `local` are what the manifest
    states: `source` is the model where a file of this machine is brought, `local` that file's name.
    What follows is what it means. `trusted`: without TLS and by way of a host, so that nothing but
    that host's word told. `gguf` and `config` are what a plan reads of the files."""

    models: tuple[str, ...]
    source: str
    revision: str = "main"
    patterns: tuple[str, ...] = ()
    code: bool = False
    local: str | None = None
    commit: Sha1 | None = None
    license: str | None = None
    gated: bool = False
    trusted: bool = False
    loaded: str = ""
    files: Annotated[tuple[LockedFile, ...], Field(min_length=1, max_length=MOST_FILES)]
    left_out: Annotated[tuple[str, ...], Field(max_length=MOST_FILES)] = ()
    code_files: tuple[str, ...] = ()
    gguf: GGUFFacts | None = None
    config: dict[str, object] | None = None
    config_format: Literal["mistral"] | None = None
    content: str

    @property
    def size(self) -> int:
        """Bytes."""
        return sum(file.size for file in self.files)

    @property
    def brief(self) -> Locked:
        return Locked(commit=self.commit, content=self.content, size=self.size)

    @property
    def loaded_sha256(self) -> str | None:
        """Of the file that engines are pointed at."""
        alone = self.files[0].path if len(self.files) == 1 else ""
        known = {file.path: file.sha256 for file in self.files}
        return known.get(self.loaded or alone)

    @property
    def title(self) -> str:
        """What the manifest states, for the reader."""
        return self.local or f"{self.source} ({self.revision})"

    def answers(self, request: Request) -> bool:
        """Whether it is what this asks for; a stated commit or SHA-256 is looked at by others."""
        if request.local is not None:
            named = (request.source in self.models, posixpath.basename(request.local.rstrip("/")))
            return named == (True, self.local)
        stated = (request.source, request.revision, request.patterns, request.code)
        return stated == (self.source, self.revision, self.patterns, self.code)


class LockedImage(Frozen):
    """An image by its name. `digest` is what its registry calls it, where this machine's Docker has
    it from one; `content` tells it from others wherever it lies."""

    name: str
    digest: Digest | None = None
    content: PushedImage

    @property
    def identity(self) -> str:
        return self.digest or self.content.ids[0]

    @property
    def pinned(self) -> str:
        """The name by which its registry gives this very image."""
        if self.digest is None:
            return self.name
        repository, colon, tag = self.name.rpartition(":")
        bare = repository if colon and "/" not in tag else self.name
        return f"{bare}@{self.digest}"

    def is_of(self, image: PushedImage) -> bool:
        own = self.content
        alike = (own.layers, own.settings) == (image.layers, image.settings)
        return alike or not set(own.ids).isdisjoint(image.ids)


class LockedArchive(Frozen):
    """An engine build, by the name of its archive."""

    name: str
    sha256: Sha256
    size: Annotated[int, Field(ge=0, le=1 << 50)]

    @property
    def identity(self) -> str:
        return f"sha256:{self.sha256}"


class LockFile(Frozen):
    """`xgen_lock` is the format. Images and archives that this machine had when it was written are
    in it, others are not held to anything."""

    xgen_lock: int = FORMAT
    models: tuple[LockedModel, ...] = ()
    images: tuple[LockedImage, ...] = ()
    archives: tuple[LockedArchive, ...] = ()

    def image(self, name: str) -> LockedImage | None:
        return next((i for i in self.images if full_name(i.name) == full_name(name)), None)

    def archive(self, name: str) -> LockedArchive | None:
        return next((a for a in self.archives if a.name == name), None)

    def entry(self, request: Request) -> LockedModel | None:
        return next((entry for entry in self.models if entry.answers(request)), None)


def lock_path(manifest: str) -> str:
    """`site.lock.yaml` beside `site.yaml`."""
    return f"{posixpath.splitext(manifest)[0]}.lock.yaml"
