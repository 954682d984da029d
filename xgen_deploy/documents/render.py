"""`render --json`."""

from collections.abc import Mapping

from xgen_deploy.documents.base import Document
from xgen_deploy.frozen import Frozen


class FileEntry(Frozen):
    """`mode` is octal, `0644`. `content` is None for a secret."""

    path: str
    mode: str
    content: str | None


class UnitEntry(Frozen):
    """An instance or the gateway."""

    instance: str
    backend: str
    argv: tuple[str, ...]
    env: Mapping[str, str]
    files: tuple[FileEntry, ...]


class RenderDocument(Document):
    hosts: Mapping[str, tuple[UnitEntry, ...]] | None = None
    refusals: tuple[str, ...] | None = None
