"""The files of models that lie on a host, as the program there tells them
(transfer/remote/models.py)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import Field

from xgen_deploy.frozen import Frozen, Moment
from xgen_deploy.state.artifact import Sha1, Sha256

Size = Annotated[int, Field(ge=0, le=1 << 60)]
Path = Annotated[str, Field(pattern="^/", max_length=5000)]
_LINKS = 10_000


class StoredFile(Frozen):
    """A file that was brought. `name` is its note's, `state` whether it is still that file: not by
    its content, which nobody reads for that; `unpacked`: an engine build whose archive is gone.
    `found`: it lay there already and was right. `links` lead to it.
    """

    root: Path
    name: Annotated[str, Field(pattern="^[0-9]{1,20}$")]
    place: Path
    size: Size
    mtime_ns: int
    sha256: Sha256 | None = None
    sha1: Sha1 | None = None
    origin: str
    at: Moment
    found: bool = False
    state: Literal["whole", "changed", "gone", "unpacked"]
    links: Annotated[tuple[Path, ...], Field(max_length=_LINKS)] = ()

    @property
    def digest(self) -> str | None:
        return self.sha256 or self.sha1

    @property
    def shared(self) -> tuple[str, int, float]:
        """The same for hosts that share the folder, and for no others."""
        return self.name, self.mtime_ns, self.at


class OtherFile(Frozen):
    """One that the tool did not bring."""

    root: Path
    place: Path
    size: Size


@dataclass(frozen=True)
class Stock:
    """`real` are the paths that were asked for, without links; `network` the folders that are on a
    file system of the network, so that further hosts may have them. `images` are the layers of
    each image that Docker has, where that was asked."""

    files: tuple[StoredFile, ...] = ()
    others: tuple[OtherFile, ...] = ()
    real: Mapping[str, str] = field(default_factory=dict)
    network: tuple[str, ...] = ()
    images: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True)
class Need:
    """A path that something loads; `by` says what: `qwen3-8b`, `acme/llama`, `apply #41`."""

    path: str
    by: str
