"""`xgen-deploy status`: what runs, as the engines report it."""

import time
from collections.abc import Container, Mapping

import click
from rich.markup import escape

from xgen_deploy.backends.registry import short_name_of
from xgen_deploy.cli.opening import open_run
from xgen_deploy.cli.options import Settings, host_options
from xgen_deploy.cli.screen import Screen, aligned
from xgen_deploy.errors import UnreachableError, XgenError, exit_code_of
from xgen_deploy.faults import guarded
from xgen_deploy.plan.headlines import ago, last_apply_line
from xgen_deploy.state.facts import INSTALL_PYTHON
from xgen_deploy.state.observation import Observation, Observed, facts_of, reached, records_of
from xgen_deploy.state.record import Record
from xgen_deploy.state.site import Site
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
    """Show what runs on every host, with the layers, devices and context that engines reported.

    Exits with 0 if every instance runs, 1 if one does not, 4 if a host could not be reached.
    """
    with open_run(settings) as run:
        observed = run.observe(health=True)
    rows = [row for name in observed for row in _guarded_rows(run.site, name, observed[name])]
    records = records_of(observed)
    watchdogs = {
        n: watchdog_status(o.facts, o.record, o.layout)
        for n, o in reached(observed).items()
        if o.record is not None
    }
    gateways = gateway_statuses(run.site, observed)
    locks = _locks(observed)
    screen = Screen(settings)
    warnings = _watchdog_lines(watchdogs)
    good = all(r.status == "running" for r in rows) and all(d.good for d in gateways)
    lines = _lines(run.site.project, records, rows, gateways, locks, warnings)
    screen.lines(lines, always=not good or bool(warnings))
    screen.value(
        {
            "hosts": {
                n: {
                    "reachable": isinstance(o, Observation),
                    "error": _reason(o) if isinstance(o, XgenError) else _no_python(o),
                    "lock": locks[n].model_dump(mode="json") if n in locks else None,
                    "watchdog": w.model_dump() if (w := watchdogs.get(n)) else None,
                }
                for n, o in observed.items()
            },
            "models": [r.model_dump(mode="json") for r in rows],
            "gateways": [d.model_dump(mode="json") for d in gateways],
        }
    )
    unreached = {n: o for n, o in observed.items() if isinstance(o, XgenError)}
    without_python = any(map(_no_python, reached(observed).values()))
    if without_python or not _good(rows, gateways, unreached):
        return 1
    return exit_code_of(unreached.values())


def _good(
    rows: list[Status], gateways: tuple[GatewayStatus, ...], unreached: Container[str]
) -> bool:
    """Instances of unreachable hosts do not count: those are exit code 4."""
    instances = all(r.status == "running" or r.host in unreached for r in rows)
    return instances and all(d.good or d.status == "unknown" for d in gateways)


def _locks(observed: Observed) -> dict[str, LockStatus]:
    """The locks that are held or waited for, by host."""
    locks = {n: lock_status(f.lock) for n, f in facts_of(observed).items()}
    return {n: lock for n, lock in locks.items() if lock is not None}


def _guarded_rows(
    site: Site, name: str, observation: Observation | XgenError
) -> tuple[Status, ...]:
    rows = guarded(name, lambda: _rows(site, name, observation))
    if isinstance(rows, XgenError):
        return unknown_statuses(site, name, str(rows).removeprefix(f"{name}: "))
    return rows


def _rows(site: Site, name: str, observation: Observation | XgenError) -> tuple[Status, ...]:
    if isinstance(observation, XgenError):
        return unknown_statuses(site, name, _reason(observation))
    if observation.record is None:
        return unknown_statuses(site, name, observation.record_error)
    layout, record = observation.layout, observation.record
    return host_statuses(site, site.hosts[name], observation.facts, record, layout)


def _lines(
    project: str,
    records: Mapping[str, Record],
    rows: list[Status],
    gateways: tuple[GatewayStatus, ...],
    locks: dict[str, LockStatus],
    warnings: list[str],
) -> list[str]:
    now = time.time()
    last = last_apply_line(records.values(), now)
    lines = [
        f"[bold]{escape(project)}[/bold]  {time.strftime('%H:%M:%S')}  {escape(last)}",
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
    """A line for every host where a hanging engine would not be restarted."""
    return [
        f"[yellow]WATCHDOG[/yellow]  {escape(host)}: {escape(watchdog.reason)}"
        for host, watchdog in watchdogs.items()
        if watchdog is not None and watchdog.reason
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
        short_name_of(row.backend) if row.backend else "-",
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


def _no_python(observation: Observation) -> str | None:
    """Why only the GPUs of a host could be observed, and what to do; None for any other host."""
    reason = observation.facts.no_python
    return reason and f"{reason}. {INSTALL_PYTHON}"


def _reason(error: XgenError) -> str:
    return error.reason if isinstance(error, UnreachableError) else str(error)
