"""`xgen-deploy history`: who applied what, when, and how it ended."""

import time
from collections.abc import Collection, Mapping

import click
from rich.markup import escape

from xgen_deploy.apply.histories import entries_by_host, no_such_apply
from xgen_deploy.cli.manifest_command import ManifestCommand
from xgen_deploy.cli.opening import open_run
from xgen_deploy.cli.options import Settings, host_options
from xgen_deploy.cli.screens.apply_details import apply_lines
from xgen_deploy.cli.screens.screen import Screen
from xgen_deploy.cli.screens.table import Table
from xgen_deploy.documents.history import applies_of, history_document
from xgen_deploy.errors import UsageError, XgenError, exit_code_of
from xgen_deploy.plan.headlines import ago, named, unended_clause
from xgen_deploy.state.lock import LockStatus
from xgen_deploy.state.observation import locks_of
from xgen_deploy.state.record import ApplyRecord

_HEAD = ("APPLY", "WHEN", "BY", "WHAT", "MANIFEST", "GIT", "TOOK", "HOSTS", "ENDED")
_DROP = ("GIT", "TOOK", "MANIFEST", "BY", "HOSTS")
# Limits for one apply on the screen; --json has all of it.
_MOST_CHANGES = 30
_LONGEST = 200


@click.command("history", cls=ManifestCommand)
@click.option(
    "--since",
    metavar="DATE",
    help="Audit events of all hosts since DATE: 2026-11-01 (UTC), or 7d, 12h.",
)
@click.option("--csv", "csv", is_flag=True, help="Audit events as CSV.")
@host_options
@click.argument("number", required=False, type=int, metavar="[N]")
def command(settings: Settings, number: int | None, since: str | None, csv: bool) -> int:
    """Show every recorded apply of the project and its changes, newest first.

    With N, show apply N alone: the values that it changed, what failed, and why.

    With --since or --csv, show audit events instead, oldest first: who did what on which host, what
    was refused, and where a host's log was tampered with.
    """
    if since is not None or csv:
        if number is not None:
            raise UsageError("N is one apply; leave it out with --since and --csv")
        from xgen_deploy.cli.screens.audit_report import report

        return report(settings, since, csv=csv)
    with open_run(settings, brings=False) as run:
        observed = run.observe()
        histories = entries_by_host(run)
    applies = applies_of(histories, observed)
    if number is not None:
        if number not in applies:
            raise no_such_apply(number, applies, histories)
        applies = {number: applies[number]}
    locks = locks_of(observed)
    screen = Screen(settings)
    errors = {h: e for h, e in histories.items() if isinstance(e, XgenError)}
    lines = _lines(applies, locks, screen.width, whole=number is not None)
    screen.lines(lines if applies else _no_apply(histories, errors))
    screen.lines([f"[red]{escape(str(e))}[/red]" for e in errors.values()], always=True)
    screen.value(history_document(applies, histories, observed))
    return exit_code_of(errors.values())


def _lines(
    applies: dict[int, dict[str, ApplyRecord]],
    locks: Mapping[str, LockStatus],
    width: int | None,
    *,
    whole: bool = False,
) -> list[str]:
    newest = sorted(applies.items(), reverse=True)
    table = Table(_HEAD, _DROP)
    for number, per in newest:
        table.add(*_row(number, per, locks))
    lines, rows = table.lines(width)
    for row, (_, per) in zip(rows, newest, strict=True):
        lines += row
        if whole:
            lines += apply_lines(per)
            continue
        changes = list(dict.fromkeys(c for a in per.values() for c in a.changes))
        lines += [f"    [dim]{escape(c[:_LONGEST])}[/dim]" for c in changes[:_MOST_CHANGES]]
        if len(changes) > _MOST_CHANGES:
            lines.append(f"    [dim]... and {len(changes) - _MOST_CHANGES} more[/dim]")
    return lines


def _no_apply(histories: Collection[str], errors: Collection[str]) -> list[str]:
    seen = [host for host in histories if host not in errors]
    if not seen:
        return ["no host was reached: the applies are unknown"]
    where = f" on {named(seen)}" if errors else ""
    return [f"no apply is recorded{where}"]


def _row(
    number: int, per: dict[str, ApplyRecord], locks: Mapping[str, LockStatus]
) -> tuple[str, ...]:
    first = next(iter(per.values()))
    took = max((a.ended - a.began for a in per.values() if a.ended), default=None)
    outcomes = sorted({a.outcome for a in per.values() if a.outcome})
    unended = [h for h, a in per.items() if a.outcome is None]
    if unended:
        since = ago(time.time() - first.began)
        outcomes.append(unended_clause(unended, locks, since))
    return (
        f"#{number}",
        time.strftime("%Y-%m-%d %H:%M", time.localtime(first.began)),
        first.by,
        first.what,
        f"{first.manifest} {first.manifest_digest[:7]}",
        first.git or "-",
        f"{took:.0f} s" if took is not None else "-",
        ",".join(per),
        ", ".join(outcomes),
    )
