"""`history --since`: the audit events of all hosts, as a table, CSV or JSON."""

import csv as csv_module
import sys
from datetime import UTC, datetime

from xgen_deploy.audit.event import AuditEvent
from xgen_deploy.audit.reading import Entry, HostEvents, read_events
from xgen_deploy.cli.logs.since import begin_of
from xgen_deploy.cli.opening import open_run
from xgen_deploy.cli.options import Settings
from xgen_deploy.cli.screens.screen import Screen
from xgen_deploy.cli.screens.table import Table
from xgen_deploy.documents.error_entry import ErrorEntry, host_errors
from xgen_deploy.documents.history import HistoryDocument
from xgen_deploy.errors import UsageError, XgenError, exit_code_of
from xgen_deploy.transport.base import Connection
from xgen_deploy.transport.fleet import each
from xgen_deploy.visible import printable

_FIELDS = (*AuditEvent.model_fields, "chain")
_HEAD = ("WHEN", "HOST", "BY", "KEY", "WHAT", "APPLY", "INSTANCE", "ACTION", "ENDED", "WHY")
_DROP = ("KEY", "APPLY", "BY", "INSTANCE")
_LONGEST = 1000
# A spreadsheet would take these for a formula (OWASP: CSV injection).
_FORMULA = ("=", "+", "-", "@")


def report(settings: Settings, since: str | None, *, csv: bool) -> int:
    """Returns the exit code: 1 if a log was tampered with, 4 if a host could not be reached."""
    begin = begin_of(since, datetime.now(UTC))
    if csv and settings.json:
        raise UsageError("--csv and --json exclude each other; leave out one")
    with open_run(settings, brings=False) as run:

        def read_host(connection: Connection) -> HostEvents:
            layout = run.layout(connection.name)
            with connection.session() as session:
                return read_events(session, layout, connection.name)

        results = each(list(run.connections.values()), read_host)
    errors = [e for e in results.values() if isinstance(e, XgenError)]
    logs = {h: e for h, e in results.items() if not isinstance(e, XgenError)}
    entries = [e for log in logs.values() for e in log.entries if _after(e, begin)]
    entries.sort(key=lambda e: e.event.time)
    _show(settings, entries, reached=bool(logs), csv=csv)
    broken = {h: log.broken for h, log in logs.items() if log.broken}
    tampered = (ErrorEntry(message=broken_line(n), host=h) for h, n in broken.items())
    Screen(settings).value(
        HistoryDocument(
            events=tuple(e.event for e in entries),
            broken=broken,
            errors=(*host_errors(results), *tampered),
        )
    )
    for host, numbers in broken.items():
        print(printable(f"{host}: {broken_line(numbers)}"), file=sys.stderr)
    for error in errors:
        print(printable(str(error)), file=sys.stderr)
    if broken:
        return 1
    return exit_code_of(errors)


def broken_line(numbers: tuple[int, ...]) -> str:
    """What is wrong with a host's log, as a clause."""
    shown = ", ".join(map(str, numbers[:10])) + (", …" if len(numbers) > 10 else "")
    which = f"lines {shown} do" if len(numbers) > 1 else f"line {shown} does"
    return f"its audit log was edited or has a gap: {which} not follow from the line before"


def cells(entry: Entry) -> tuple[str, ...]:
    """The cells of one line of CSV, without control characters and formulas."""
    values = entry.event.model_dump(mode="json") | {"chain": "ok" if entry.follows else "broken"}
    return tuple(_cell(values[name]) for name in _FIELDS)


def _cell(value: object) -> str:
    if isinstance(value, list):
        value = " ".join(map(str, value))
    whole = "" if value is None else str(value)[:_LONGEST]
    text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in whole)
    return f"'{text}" if text.lstrip().startswith(_FORMULA) else text


def _show(settings: Settings, entries: list[Entry], *, reached: bool, csv: bool) -> None:
    if csv:
        writer = csv_module.writer(sys.stdout, lineterminator="\n")
        writer.writerow(_FIELDS)
        writer.writerows(cells(e) for e in entries)
        return
    screen = Screen(settings)
    table = Table(_HEAD, _DROP)
    for entry in entries:
        table.add(*(_cell(c) for c in _row(entry.event)))
    nothing = "no event is recorded" if reached else "no host was reached: the events are unknown"
    screen.lines(table.whole(screen.width) if entries else [nothing])


def _row(event: AuditEvent) -> tuple[str, ...]:
    return (
        event.time[:19],
        event.host or "",
        event.ci or f"{event.login or '?'}@{event.control_host or '?'}",
        event.ssh_key or "",
        " ".join((event.what, *event.overrides)),
        f"#{event.apply}" if event.apply else "",
        event.instance or "",
        event.action or "",
        event.outcome,
        event.reason or event.cause or "",
    )


def _after(entry: Entry, begin: datetime | None) -> bool:
    """An event with an unreadable time is shown, so that a host cannot hide it that way."""
    try:
        return begin is None or datetime.fromisoformat(entry.event.time) >= begin
    except (ValueError, TypeError):
        return True
