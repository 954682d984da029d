"""`projects --json`."""

from collections.abc import Mapping

from xgen_deploy.documents.base import Document
from xgen_deploy.frozen import Frozen
from xgen_deploy.state.origin import Origin
from xgen_deploy.state.record import ApplyRecord


class InstanceEntry(Frozen):
    """An instance or the gateway. `gpus` are indices in PCI order, without cards that are not seen
    now; None where none of them is. `stopped`: on purpose.
    """

    instance: str
    model: str | None
    backend: str
    port: int
    gpus: tuple[int, ...] | None
    stopped: bool


class ProjectEntry(Frozen):
    """`error`: why its record cannot be used; all else is None then. `last_apply` is None where it
    was never applied whole, `origin` where an older version applied it.
    """

    project: str
    error: str | None = None
    last_apply: ApplyRecord | None = None
    origin: Origin | None = None
    hosts: tuple[str, ...] | None = None
    instances: tuple[InstanceEntry, ...] | None = None


class HostEntry(Frozen):
    reachable: bool
    error: str | None = None
    projects: tuple[ProjectEntry, ...] | None = None


class ProjectsDocument(Document):
    hosts: Mapping[str, HostEntry] | None = None
