"""`history --json`, of applies or with --since of audit events."""

from collections.abc import Mapping

from xgen_deploy.audit.event import AuditEvent
from xgen_deploy.documents.base import Document
from xgen_deploy.frozen import Frozen
from xgen_deploy.state.lock import LockStatus
from xgen_deploy.state.record import ApplyRecord


class ApplyEntry(Frozen):
    """One apply as each host recorded it."""

    number: int
    hosts: Mapping[str, ApplyRecord]


class HistoryDocument(Document):
    """`applies`, newest first, and `locks` that are held; with --since `events`, oldest first, and
    `broken`: host -> lines of its audit log that do not follow from the line before.
    """

    applies: tuple[ApplyEntry, ...] | None = None
    locks: Mapping[str, LockStatus] | None = None
    events: tuple[AuditEvent, ...] | None = None
    broken: Mapping[str, tuple[int, ...]] | None = None
