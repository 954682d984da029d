"""`models --json`."""

from collections.abc import Mapping

from xgen_deploy.documents.base import Document
from xgen_deploy.frozen import Frozen


class ModelEntry(Frozen):
    """Files that were brought together, or one that was not (`origin` None). `place` is the file or
    the folder of all. `digest` is the SHA-256 of a single file, of several that of theirs; None
    where it is not known. `at` is when it was brought, None where all of it lay there already.
    `used_by` are instances (of another project `project/instance`), `apply #N` for one of the last
    good applies, and `the manifest`. `unused_bytes`: of its files that nothing needs. `changed` are
    files that are not those which were brought any more.
    """

    origin: str | None
    place: str
    files: int
    size: int
    digest: str | None
    at: float | None
    used_by: tuple[str, ...]
    unused_bytes: int
    changed: tuple[str, ...] = ()


class RemovedEntry(Frozen):
    """Of `prune`. `reason` None: it was removed; else why it is still there."""

    place: str
    origin: str
    size: int
    reason: str | None


class CheckedEntry(Frozen):
    """Of `verify`. `reason` None: every byte is right. `chunks` are those of 16 MiB that are
    damaged, where that is known."""

    place: str
    origin: str
    size: int
    reason: str | None
    chunks: tuple[int, ...]


class HostEntry(Frozen):
    """`unknown`: projects whose record cannot be used, so that what they need is not known."""

    reachable: bool
    error: str | None = None
    models: tuple[ModelEntry, ...] | None = None
    unknown: tuple[str, ...] | None = None
    removed: tuple[RemovedEntry, ...] | None = None
    checked: tuple[CheckedEntry, ...] | None = None


class ModelsDocument(Document):
    hosts: Mapping[str, HostEntry] | None = None
