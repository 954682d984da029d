"""`models verify`: every byte that was brought is read on its host, all hosts at once."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from shlex import quote

from rich.markup import escape

from xgen_deploy.apply.models_on_hosts import roots
from xgen_deploy.cli.model_hosts import chosen_hosts
from xgen_deploy.cli.opening import open_run
from xgen_deploy.cli.options import Settings
from xgen_deploy.cli.screens.models import origin_text, unreached_line
from xgen_deploy.cli.screens.screen import Screen
from xgen_deploy.documents.error_entry import host_errors
from xgen_deploy.documents.models import CheckedEntry, HostEntry, ModelsDocument
from xgen_deploy.errors import XgenError, exit_code_of, first_that_holds, reason_of
from xgen_deploy.run.run import Run
from xgen_deploy.sizes import size_text
from xgen_deploy.transfer.stored import check, look
from xgen_deploy.transport.base import Connection
from xgen_deploy.transport.fleet import each

Results = Mapping[str, tuple[CheckedEntry, ...] | XgenError]


def verified(settings: Settings) -> int:
    """Returns the exit code: 1 where a file is damaged."""
    with open_run(replace(settings, limit=())) as run:
        hosts = chosen_hosts(run.site, settings)
        chosen = [c for name, c in run.connections.items() if name in hosts]
        results = each(chosen, lambda connection: _checked(run, connection))
    damaged = any(
        entry.reason is not None
        for entries in results.values()
        if not isinstance(entries, XgenError)
        for entry in entries
    )
    screen = Screen(settings)
    errors = [e for e in results.values() if isinstance(e, XgenError)]
    screen.lines(_lines(results), always=damaged or bool(errors))
    line = f"`xgen-deploy fetch {quote(settings.manifest)}` brings what is damaged, and only that"
    screen.lines([escape(line)] if damaged else [], always=True)
    screen.value(
        ModelsDocument(
            hosts={
                host: HostEntry(reachable=False, error=reason_of(entries))
                if isinstance(entries, XgenError)
                else HostEntry(reachable=True, checked=entries)
                for host, entries in results.items()
            },
            errors=tuple(host_errors(results)),
        )
    )
    return first_that_holds(int(damaged), exit_code_of(errors))


def _checked(run: Run, connection: Connection) -> tuple[CheckedEntry, ...]:
    folders = roots(run, connection.name)
    files = {(f.root, f.name): f for f in look(connection, folders, ()).files}
    answers = check(connection, folders, lambda _: None)
    return tuple(
        CheckedEntry(
            place=file.place,
            origin=file.origin,
            size=file.size,
            reason=None if answer.ok else answer.text or "it is damaged",
            chunks=answer.chunks,
        )
        for answer in answers
        if (file := files.get((answer.root, answer.name))) is not None
    )


def _lines(results: Results) -> Iterator[str]:
    for host, entries in results.items():
        if isinstance(entries, XgenError):
            yield unreached_line(host, entries)
            continue
        right = sum(entry.size for entry in entries if entry.reason is None)
        count = sum(entry.reason is None for entry in entries)
        files = f"{count} file{'s'[: count != 1]}"
        yield f"[green]ok[/green]      {escape(host)}  {files}, {size_text(right)}"
        for entry in entries:
            if entry.reason is not None:
                what = f"{origin_text(entry.origin)}: {entry.reason} ({entry.place})"
                yield f"[red]damaged[/red] {escape(host)}  {escape(what)}"
