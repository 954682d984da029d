"""The rows of the history, as the page shows them. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from xgen_deploy.state.record import ApplyRecord


@dataclass(frozen=True)
class ApplyRow:
    """One apply over all its hosts. `outcome` None: on one of them it has not ended."""

    number: int
    at: str
    by: str
    what: str
    outcome: str | None
    good: bool
    changes: tuple[str, ...]
    failures: tuple[str, ...]


def apply_rows(applies: Mapping[int, Mapping[str, ApplyRecord]]) -> tuple[ApplyRow, ...]:
    """Newest first."""
    newest = sorted(applies.items(), reverse=True)
    return tuple(_row(number, per_host) for number, per_host in newest if per_host)


def _row(number: int, per_host: Mapping[str, ApplyRecord]) -> ApplyRow:
    first = min(per_host.values(), key=lambda record: record.began)
    outcomes = {record.outcome for record in per_host.values()}
    changes = dict.fromkeys(c for record in per_host.values() for c in record.changes)
    failures = [
        f"{host}/{name}: {why}"
        for host, record in per_host.items()
        for name, why in record.failures.items()
    ]
    return ApplyRow(
        number=number,
        at=datetime.fromtimestamp(first.began, UTC).isoformat(timespec="minutes")[:16],
        by=first.by,
        what=first.what,
        outcome=None if None in outcomes else ", ".join(sorted(filter(None, outcomes))),
        good=outcomes == {"ok"} or outcomes == {"applied"},
        changes=tuple(changes),
        failures=tuple(failures),
    )
