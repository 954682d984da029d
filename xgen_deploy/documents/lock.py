"""`lock --json`."""

from typing import Literal

from xgen_deploy.documents.base import Document
from xgen_deploy.frozen import Frozen


class LockedFileChange(Frozen):
    """Sizes in bytes; None: it is not among the locked files."""

    path: str
    size_before: int | None
    size: int | None


class LockedSource(Frozen):
    """`change`: added; kept, which was not asked; same, which was asked and did not move; moved;
    removed. `by_length`: of some file no digest is known. `trusted`: nothing but the
    word of a host told what it is."""

    models: tuple[str, ...]
    source: str
    revision: str | None
    change: Literal["added", "kept", "same", "moved", "removed"]
    commit_before: str | None
    commit: str | None
    license: str | None
    files: int
    size: int
    by_length: bool
    trusted: bool
    changed_files: tuple[LockedFileChange, ...]


class LockedPart(Frozen):
    """An image or the archive of an engine build. `change` as of sources; absent: this machine has
    it not, says `reason`, and it is not locked."""

    name: str
    change: Literal["added", "kept", "same", "moved", "removed", "absent"]
    digest_before: str | None
    digest: str | None
    reason: str | None


class LockDocument(Document):
    """`written`: the file was not what it is now."""

    file: str | None = None
    written: bool | None = None
    sources: tuple[LockedSource, ...] | None = None
    parts: tuple[LockedPart, ...] | None = None
