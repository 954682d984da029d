"""A model's files as their source has them: what is brought to hosts, and what it must be."""

import hashlib
import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from xgen_deploy.frozen import Frozen
from xgen_deploy.state.oci_image import OciImage

MOST_FILES = 10_000
_LONGEST_PATH = 500
_HEX = "^[0-9a-f]{%d}$"
_PLAIN = re.compile(r"[^\x00-\x1f\x7f\\]+")

Sha1 = Annotated[str, Field(pattern=_HEX % 40)]
Sha256 = Annotated[str, Field(pattern=_HEX % 64)]
Kind = Literal["hub", "url", "local", "image"]


def relative_path(value: str) -> str:
    """Of a file beneath a folder: no way out of it, and nothing that is not text."""
    parts = value.split("/")
    if (
        not _PLAIN.fullmatch(value)
        or len(value) > _LONGEST_PATH
        or any(part in ("", ".", "..") or part.startswith(".xgen") for part in parts)
    ):
        raise ValueError(f"`{value[:80]}` is no name of a file beneath a folder")
    return value


RelativePath = Annotated[str, AfterValidator(relative_path)]


class ArtifactFile(Frozen):
    """`sha1` is git's name of a blob, which the hub has for small files; `url` is where a host gets
    the file itself, `here` where it lies on this machine. `chunks` are the SHA-256 of each 16 MiB,
    where they are known."""

    path: RelativePath
    size: Annotated[int, Field(ge=0, le=1 << 50)]
    sha256: Sha256 | None = None
    sha1: Sha1 | None = None
    url: str | None = None
    here: str | None = None
    chunks: tuple[Sha256, ...] | None = None


class Artifact(Frozen):
    """`name` is what the manifest calls it: a source, of a local one the model. `origin` names the
    source, for people and records. `revision` is what was asked for, `commit` what that means now.
    `loaded` is the file that an engine is pointed at, "" for the only one or the folder of all.
    `left_out` are files of the source that are not brought, `code` those among `files` that engines
    would run. `gated`: it is given only to who has a token. `through` is the host by way of which
    it was looked at, where this machine does not reach the source; `trusted`: nothing but that
    host's word says what it is. Of an image the files are what hosts lack of its blobs; they have
    the first `layers_there` of its layers.
    """

    name: str
    kind: Kind
    origin: str
    repository: str | None = None
    revision: str | None = None
    commit: Sha1 | None = None
    files: Annotated[tuple[ArtifactFile, ...], Field(min_length=1, max_length=MOST_FILES)]
    loaded: str = ""
    left_out: tuple[str, ...] = ()
    code: tuple[str, ...] = ()
    license: str | None = None
    gated: bool = False
    through: str | None = None
    trusted: bool = False
    image: OciImage | None = None
    layers_there: int = 0

    @property
    def is_here(self) -> bool:
        """Whether this machine has it, and nobody else is asked for it."""
        return self.kind in ("local", "image")

    @property
    def size(self) -> int:
        """Bytes."""
        return sum(file.size for file in self.files)

    @property
    def digest(self) -> str:
        """Of all its files' names and contents, whatever tells these."""
        lines = (f"{f.path} {f.size} {f.sha256 or f.sha1 or f.url}" for f in self.files)
        return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()
