"""`stop`, `start` and `restart` with --json."""

from collections.abc import Mapping
from typing import Literal

from xgen_deploy.documents.base import Document
from xgen_deploy.frozen import Frozen


class InstanceEntry(Frozen):
    """How one operation ended. `text` is a clause for people, `log` the engine's last lines where
    it failed.
    """

    instance: str
    outcome: Literal["done", "failed"]
    text: str
    seconds: float | None
    log: tuple[str, ...]


class HostEntry(Frozen):
    """`done` are sentences about `instances`, `error` is the first failure."""

    done: tuple[str, ...]
    error: str | None
    instances: tuple[InstanceEntry, ...]


class MaintainDocument(Document):
    hosts: Mapping[str, HostEntry] | None = None
