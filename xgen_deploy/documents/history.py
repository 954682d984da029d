"""`history --json`, of applies or with --since of audit events."""

from collections.abc import Mapping

from xgen_deploy.apply.histories import Histories
from xgen_deploy.audit.event import AuditEvent
from xgen_deploy.documents.base import Document
from xgen_deploy.documents.error_entry import host_errors
from xgen_deploy.errors import XgenError
from xgen_deploy.frozen import Frozen
from xgen_deploy.state.lock import LockStatus
from xgen_deploy.state.observation import Observed, locks_of, records_of
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


def applies_of(histories: Histories, observed: Observed) -> dict[int, dict[str, ApplyRecord]]:
    """By number and host; with the one that its host's record says has not ended."""
    applies: dict[int, dict[str, ApplyRecord]] = {}
    for host, entries in histories.items():
        for entry in () if isinstance(entries, XgenError) else entries:
            applies.setdefault(entry.apply.number, {})[host] = entry.apply
    for host, record in records_of(observed).items():
        last = record.last_apply
        if last is not None and last.outcome is None:
            applies.setdefault(last.number, {}).setdefault(host, last)
    return applies


def history_document(
    applies: Mapping[int, Mapping[str, ApplyRecord]], histories: Histories, observed: Observed
) -> HistoryDocument:
    return HistoryDocument(
        applies=tuple(
            ApplyEntry(number=n, hosts=per) for n, per in sorted(applies.items(), reverse=True)
        ),
        locks=locks_of(observed),
        errors=tuple(host_errors(histories)),
    )
