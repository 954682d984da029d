"""`xgen-deploy status`: what runs, with what the engines reported."""

import time
from collections.abc import Mapping

import click
from rich.markup import escape

from xgen_deploy.cli.columns import aligned
from xgen_deploy.cli.options import Settings, host_options
from xgen_deploy.cli.screen import Screen
from xgen_deploy.errors import UnreachableError, XgenError
from xgen_deploy.faults import guarded
from xgen_deploy.plan.build import looked_at
from xgen_deploy.plan.last_apply import ago, last_apply_line
from xgen_deploy.plan.make import readable_records, record_in
from xgen_deploy.run.control_node import Seen
from xgen_deploy.run.run import Run, open_run
from xgen_deploy.state.facts import INSTALL_PYTHON
from xgen_deploy.state.record import Record
from xgen_deploy.verify.gateway_status import GatewayStatus, gateway_statuses
from xgen_deploy.verify.locks import LockStatus, lock_status
from xgen_deploy.verify.status import Status, host_statuses, unknown_statuses
from xgen_deploy.verify.watchdog import WatchdogStatus, watchdog_status

_COLOUR = {
    "running": "green",
    "loading": "yellow",
    "failed": "bold red",
    "stopped": "yellow",
    "absent": "red",
    "unknown": "magenta",
}
_HEAD = (
    "HOST",
    "INSTANCE",
    "STATE",
    "SINCE",
    "BACKEND",
    "PORT",
    "GPU",
    "LAYERS",
    "CTXxSLOTS",
    "RESTARTS",
)


@click.command("status")
@host_options
def command(settings: Settings) -> int:
    """Read what runs on every host, with layers, devices and context as the engines said.

    Exit code 0 when every instance runs, 1 when one does not, 4 when a host was not reached.
    """
    with open_run(settings) as run:
        seen = run.observe(health=True)
        rows = [row for name, one in seen.items() for row in _guarded_rows(run, name, one)]
        looked = looked_at(run.site, seen, run.control_node)
    records = readable_records(run.site.project, {n: o.facts for n, o in looked.items()})
    watchdogs = {
        n: watchdog_status(one.facts, records[n], one.layout)
        for n, one in looked.items()
        if n in records
    }
    gateways = gateway_statuses(run.site, looked, records)
    locks = _locks(seen)
    screen = Screen(settings)
    warnings = _watchdog_lines(watchdogs)
    good = all(r.status == "running" for r in rows) and all(d.good for d in gateways)
    lines = _lines(run, records, rows, gateways, locks, warnings)
    screen.lines(lines, always=not good or bool(warnings))
    screen.value(
        {
            "hosts": {
                n: {
                    "reachable": s.facts is not None,
                    "error": _no_python(s) if s.facts else _reason(s.error),
                    "lock": locks[n].model_dump(mode="json") if n in locks else None,
                    "watchdog": w.model_dump() if (w := watchdogs.get(n)) else None,
                }
                for n, s in seen.items()
            },
            "models": [r.model_dump(mode="json") for r in rows],
            "gateways": [d.model_dump(mode="json") for d in gateways],
        }
    )
    unseen = {n for n, s in seen.items() if s.facts is None}
    if not _good(rows, gateways, unseen) or any(map(_no_python, seen.values())):
        return 1
    return 4 if unseen else 0


def _good(rows: list[Status], gateways: tuple[GatewayStatus, ...], unseen: set[str]) -> bool:
    """A host that could not be looked at is another matter (exit code 4)."""
    instances = all(r.status == "running" or r.host in unseen for r in rows)
    return instances and all(d.good or d.status == "unknown" for d in gateways)


def _locks(seen: dict[str, Seen]) -> dict[str, LockStatus]:
    """Of the hosts whose lock somebody has or waits for."""
    found = {n: lock_status(s.facts.lock) for n, s in seen.items() if s.facts}
    return {n: lock for n, lock in found.items() if lock is not None}


def _guarded_rows(run: Run, name: str, one: Seen) -> tuple[Status, ...]:
    rows = guarded(name, lambda: _rows(run, name, one))
    if isinstance(rows, XgenError):
        return unknown_statuses(run.site, name, str(rows).removeprefix(f"{name}: "))
    return rows


def _rows(run: Run, name: str, one: Seen) -> tuple[Status, ...]:
    if one.facts is None:
        return unknown_statuses(run.site, name, _reason(one.error))
    host = run.site.hosts[name]
    try:
        record = record_in(one.facts, run.site.project, name)
    except XgenError as error:
        return unknown_statuses(run.site, name, str(error).removeprefix(f"{name}: "))
    layout = run.control_node.layout(run.site, host)
    return host_statuses(run.site, host, one.facts, record, layout)


def _lines(
    run: Run,
    records: Mapping[str, Record],
    rows: list[Status],
    gateways: tuple[GatewayStatus, ...],
    locks: dict[str, LockStatus],
    warnings: list[str],
) -> list[str]:
    now = time.time()
    last = last_apply_line(records.values(), now)
    lines = [
        f"[bold]{escape(run.site.project)}[/bold]  {time.strftime('%H:%M:%S')}  {escape(last)}",
        *(_gateway_line(d) for d in gateways),
        *(f"{escape(name)}  [yellow]{escape(lock.line)}[/yellow]" for name, lock in locks.items()),
        *warnings,
        "",
    ]
    cells = [_HEAD, *(_cells(r, now) for r in rows)]
    table = aligned(cells)
    lines.append(f"[dim]{escape(table[0])}[/dim]")
    for row, text in zip(rows, table[1:], strict=True):
        lines.append(_coloured(text, row))
    reasons = [(f"{r.host}/{r.instance}", r.reason) for r in rows if r.reason]
    if reasons:
        width = max(len(n) for n, _ in reasons)
        lines += ["", *(f"{escape(n):<{width}}  {escape(r)}" for n, r in reasons)]
    counts = {s: sum(r.status == s for r in rows) for s in _COLOUR}
    lines += ["", ", ".join(f"{c} {_shown(s)}" for s, c in counts.items() if c) or "no instances"]
    return lines


def _gateway_line(gateway: GatewayStatus) -> str:
    colour = "green" if gateway.good else ("magenta" if gateway.status == "unknown" else "bold red")
    return f"[{colour}]GATEWAY[/{colour}]  {escape(gateway.line)}"


def _watchdog_lines(watchdogs: Mapping[str, WatchdogStatus | None]) -> list[str]:
    """A line for every host on which an engine that hangs would not be restarted."""
    return [
        f"[yellow]WATCHDOG[/yellow]  {escape(host)}: {escape(one.reason)}"
        for host, one in watchdogs.items()
        if one is not None and one.reason
    ]


def _cells(row: Status, now: float) -> tuple[str, ...]:
    layers = "-"
    if row.total_layers is not None and row.gpus:
        layers = f"{row.offloaded_layers}/{row.total_layers}"
    slots = f"{row.context_length}x{row.slots}" if row.context_length and row.slots else "-"
    return (
        row.host,
        row.instance,
        _shown(row.status),
        ago(now - row.since) if row.since and row.status in ("running", "loading") else "-",
        (row.backend or "-").replace("llama-server-", "llama-"),
        str(row.port or "-"),
        ",".join(map(str, row.gpus)) if row.gpus else ("cpu" if row.backend else "-"),
        layers,
        slots,
        "-" if row.restarts is None else str(row.restarts),
    )


def _shown(status: str) -> str:
    return status.upper() if status == "failed" else status


def _coloured(text: str, row: Status) -> str:
    shown = _shown(row.status)
    before, after = text.split(shown, 1) if text.count(shown) == 1 else (None, None)
    if before is None or after is None:
        return escape(text)
    return f"{escape(before)}[{_COLOUR[row.status]}]{shown}[/]{escape(after)}"


def _no_python(one: Seen) -> str | None:
    """Of a host whose GPUs alone could be looked at: why, and what to do."""
    why = one.facts.no_python if one.facts else None
    return why and f"{why}. {INSTALL_PYTHON}"


def _reason(error: XgenError | None) -> str:
    return error.reason if isinstance(error, UnreachableError) else str(error)
