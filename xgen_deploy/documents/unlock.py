"""`unlock --json`."""

from collections.abc import Mapping

from xgen_deploy.documents.base import Document
from xgen_deploy.frozen import Frozen


class HostEntry(Frozen):
    """`lock` is a clause for people; `locked` says whether the lock is held now."""

    lock: str
    locked: bool | None


class UnlockDocument(Document):
    hosts: Mapping[str, HostEntry] | None = None
