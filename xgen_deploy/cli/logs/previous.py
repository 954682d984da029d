"""`logs --previous`: the logs of attempts that did not pass their gate."""

import sys
from collections.abc import Mapping, Sequence

from xgen_deploy.cli.logs.streams import Target, show_lines
from xgen_deploy.cli.screens.screen import Screen
from xgen_deploy.documents.error_entry import host_errors
from xgen_deploy.documents.logs import EntryOfLog, LogsDocument
from xgen_deploy.errors import XgenError, exit_code_of
from xgen_deploy.manifest.diagnostics import listing
from xgen_deploy.run.logs.request import LogRequest
from xgen_deploy.run.run import Run
from xgen_deploy.transport.base import Connection
from xgen_deploy.transport.fleet import each
from xgen_deploy.visible import printable

_MOST = 1 << 24  # bytes


def show_previous(
    run: Run, targets: Sequence[Target], request: LogRequest, screen: Screen, *, raw: bool
) -> int:
    """Of each instance that has one; which it is is said where several were asked for. Returns the
    exit code. Raises XgenError where there is none."""

    def read_host(connection: Connection) -> list[tuple[Target, bytes]]:
        layout = run.layout(connection.name)
        own = [t for t in targets if t.host == connection.name]
        with connection.session() as session:
            paths = {t: layout.failed_log(t.instance) for t in own}
            logs = {t: session.read_file(path, limit=_MOST) for t, path in paths.items()}
        return [(target, log) for target, log in logs.items() if log is not None]

    hosts = dict.fromkeys(t.host for t in targets)
    results = each([run.connections[host] for host in hosts], read_host)
    errors = [r for r in results.values() if isinstance(r, XgenError)]
    logs = [log for r in results.values() if not isinstance(r, XgenError) for log in r]
    if not logs and not errors:
        named = listing(f"{t.host}/{t.instance}" for t in targets)
        raise XgenError(f"{named}: no failed attempt is recorded")
    shown = {target: _matching(log, request) for target, log in logs}
    if len(targets) > 1 and screen.json:
        screen.value(LogsDocument(entries=_entries(shown), errors=tuple(host_errors(results))))
        return exit_code_of(errors)
    for target, lines in shown.items():
        if len(targets) > 1:
            print(f"# {target.host}/{target.instance}")
        show_lines(screen, target, lines, raw=raw)
    for error in errors:
        print(printable(str(error)), file=sys.stderr)
    return exit_code_of(errors)


def _matching(log: bytes, request: LogRequest) -> list[bytes]:
    lines = log.removesuffix(b"\n").split(b"\n")
    matching = [line for line in lines if request.matches(line.decode(errors="replace"))]
    return matching[-request.most :]


def _entries(shown: Mapping[Target, Sequence[bytes]]) -> tuple[EntryOfLog, ...]:
    return tuple(
        EntryOfLog(
            time=None,
            host=target.host,
            instance=target.instance,
            text=line.decode(errors="backslashreplace"),
        )
        for target, lines in shown.items()
        for line in lines
    )
