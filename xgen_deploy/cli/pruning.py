"""`models prune`: shows what nobody uses, asks, and removes it."""

import time
from collections.abc import Mapping
from dataclasses import replace
from functools import partial

import click

from xgen_deploy.apply.models_on_hosts import (
    HostModels,
    Looked,
    models_on,
    remove,
    unknown_clause,
)
from xgen_deploy.cli.model_hosts import chosen_hosts
from xgen_deploy.cli.opening import open_run
from xgen_deploy.cli.options import Settings
from xgen_deploy.cli.screens.models import origin_text, prune_lines, unreached_line
from xgen_deploy.cli.screens.screen import Screen
from xgen_deploy.documents.error_entry import host_errors
from xgen_deploy.documents.models import HostEntry, ModelsDocument, RemovedEntry
from xgen_deploy.errors import LockedError, XgenError, exit_code_of, reason_of
from xgen_deploy.run.run import Run
from xgen_deploy.sizes import size_text
from xgen_deploy.state.stock import StoredFile
from xgen_deploy.transfer.stored import Kept, Removed
from xgen_deploy.transport.base import Connection
from xgen_deploy.transport.fleet import each

Results = Mapping[str, tuple[RemovedEntry, ...] | XgenError]


def pruned(settings: Settings, *, yes: bool, history: bool) -> int:
    """Returns the exit code."""
    screen = Screen(settings)
    with open_run(replace(settings, limit=())) as run:
        looked = models_on(run, run.site.hosts, history=history)
        chosen, errors = _chosen(looked, chosen_hosts(run.site, settings))
        screen.lines(prune_lines(chosen, time.time()))
        screen.lines((unreached_line(h, e) for h, e in errors.items()), always=True)
        size = sum(file.size for files in chosen.values() for file in files)
        if not size:
            screen.lines(["nothing to remove: what was brought is needed, or there is none"])
        elif not yes and not click.confirm(f"Remove {size_text(size)}?"):
            raise click.Abort
        results = _removed(run, chosen, history=history)
    return _told(screen, {**results, **errors})


def _chosen(
    looked: Looked, hosts: frozenset[str]
) -> tuple[dict[str, tuple[StoredFile, ...]], dict[str, XgenError]]:
    """What goes by host, and the hosts where nothing can, with the reason."""
    lost = [name for name, found in looked.items() if isinstance(found, XgenError)]
    chosen, errors = {}, {}
    for name in sorted(hosts):
        found = looked[name]
        if isinstance(found, XgenError):
            errors[name] = found
            continue
        reason = _why_not(found, lost)
        if reason is not None:
            errors[name] = XgenError(f"{name}: {reason}")
        else:
            chosen[name] = found.idle
    return chosen, errors


def _why_not(found: HostModels, lost: list[str]) -> str | None:
    if found.needs.unknown:
        return unknown_clause(found.needs)
    if lost and found.stock.network:
        return (
            f"nothing is removed there: {found.stock.network[0]} is on the network, and "
            f"{', '.join(lost)}, which may use it too, could not be looked at"
        )
    return None


def _removed(run: Run, chosen: Mapping[str, tuple[StoredFile, ...]], *, history: bool) -> Results:
    def remove_on(connection: Connection) -> tuple[RemovedEntry, ...]:
        files = chosen[connection.name]
        answers = remove(run, connection, files, history=history)
        told = {(answer.root, answer.name): answer for answer in answers}
        return tuple(_entry(file, told.get((file.root, file.name))) for file in files)

    connections = [c for name, c in run.connections.items() if chosen.get(name)]
    return each(connections, partial(remove_on))


def _entry(file: StoredFile, answer: Removed | Kept | None) -> RemovedEntry:
    reason = "it is needed by now" if answer is None else None
    if isinstance(answer, Kept):
        reason = answer.text
    return RemovedEntry(place=file.place, origin=file.origin, size=file.size, reason=reason)


def _told(screen: Screen, results: Results) -> int:
    errors = {n: e for n, e in results.items() if isinstance(e, XgenError)}
    lines = []
    for host, entries in results.items():
        if isinstance(entries, XgenError):
            continue
        size = sum(e.size for e in entries if e.reason is None)
        lines.append(f"[green]ok[/green]      {host}  {size_text(size)} removed")
        lines += [
            f"[yellow]kept[/yellow]    {host}  {origin_text(e.origin)}: {e.reason} ({e.place})"
            for e in entries
            if e.reason is not None
        ]
    screen.lines(lines)
    screen.value(
        ModelsDocument(
            hosts={
                host: HostEntry(reachable=False, error=reason_of(entries))
                if isinstance(entries, XgenError)
                else HostEntry(reachable=True, removed=entries)
                for host, entries in results.items()
            },
            errors=tuple(host_errors(results)),
        )
    )
    if any(isinstance(error, LockedError) for error in errors.values()):
        return LockedError.exit_code
    return exit_code_of(errors.values())
