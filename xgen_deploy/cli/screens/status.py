"""The screen of `xgen-deploy status`."""

import time
from collections.abc import Iterator, Mapping

from rich.markup import escape

from xgen_deploy.backends.registry import short_name_of
from xgen_deploy.cli.screens.table import Cell, Table
from xgen_deploy.live.values import Rates
from xgen_deploy.plan.headlines import ago, last_apply_line, named
from xgen_deploy.sizes import size_text
from xgen_deploy.state.fetching import Fetching, why_failed
from xgen_deploy.verify.gateway_status import GatewayStatus
from xgen_deploy.verify.memory_compare import compared
from xgen_deploy.verify.monitoring_status import MonitoringStatus
from xgen_deploy.verify.site_status import SiteStatus
from xgen_deploy.verify.status import Status

_COLOUR = {
    "running": "green",
    "loading": "yellow",
    "failed": "bold red",
    "stopping": "yellow",
    "stopped": "yellow",
    "putting back": "bold yellow",
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
# What a narrow terminal goes without, in this order.
_DROP = ("RESTARTS", "CTXxSLOTS", "SINCE", "LAYERS", "PORT", "BACKEND", "GPU")


_RATES = ("TOK/S", "BUSY", "WAITING")
_BY_RATES = ("RESTARTS", "CTXxSLOTS", "SINCE", "PORT", "BACKEND", "LAYERS", "GPU")

# The rates of instances, by host and name.
AllRates = Mapping[tuple[str, str], Rates]


def status_lines(
    status: SiteStatus,
    now: float,
    width: int | None,
    *,
    verbose: bool = False,
    rates: AllRates | None = None,
) -> list[str]:
    """Lines with `rich` markup; `now` is in seconds since the epoch, `width` the terminal's.
    `verbose`: what engines took of memory, and what was forecast. `rates`: shown too."""
    return [
        *_head(status, now),
        "",
        *_table(status.instances, now, width, rates),
        *_reasons(status.instances),
        *(_memory(status.instances) if verbose else ()),
        "",
        _counts(status.instances),
    ]


def warning_lines(status: SiteStatus) -> list[str]:
    """What is to be said even with `-q`: hosts where a hanging engine would not be restarted, or
    that nothing watches, and instances whose next start would not be like this one.
    """
    watchdogs = [
        f"[yellow]WATCHDOG[/yellow]  {escape(host)}: {escape(watchdog.reason)}"
        for host, watchdog in status.watchdogs.items()
        if watchdog is not None and watchdog.reason
    ]
    watchdogs += [
        f"[yellow]MONITORING[/yellow]  {escape(m.host)}: {escape(m.reason)}"
        for m in status.monitoring
        if m.status in ("down", "absent") and m.reason
    ]
    where: dict[str, list[str]] = {}
    for instance in status.instances:
        for warning in instance.warnings:
            where.setdefault(warning, []).append(f"{instance.host}/{instance.instance}")
    return watchdogs + [
        f"[yellow]WARNING[/yellow]  {escape(named(places))}: {escape(warning)}"
        for warning, places in where.items()
    ]


def _head(status: SiteStatus, now: float) -> Iterator[str]:
    clock = time.strftime("%H:%M:%S", time.localtime(now))
    last = last_apply_line(status.observed, now)
    yield f"[bold]{escape(status.project)}[/bold]  {clock}  {escape(last)}"
    yield from (_gateway_line(g) for g in status.gateways)
    yield from (_monitoring_line(m) for m in status.monitoring if m.endpoint)
    for host, lock in status.locks.items():
        yield f"{escape(host)}  [yellow]{escape(lock.line)}[/yellow]"
    for host, fetching in status.fetching.items():
        yield from (f"{escape(host)}  {line}" for line in _fetching_lines(fetching))
    for host, cordons in status.cordons.items():
        for cordon in cordons:
            yield f"{escape(host)}  [yellow]{escape(cordon.clause)}[/yellow]"
    yield from warning_lines(status)


def _monitoring_line(monitoring: MonitoringStatus) -> str:
    colour = "green" if monitoring.status == "up" else "red"
    text = f"{monitoring.endpoint}  {monitoring.status}"
    return f"[{colour}]MONITORING[/{colour}]  {escape(text)}"


def _fetching_lines(fetching: Fetching) -> Iterator[str]:
    job = fetching.under_way
    if job is not None:
        of = f"{size_text(job.there)} of {size_text(job.size)}"
        more = f", {fetching.to_come} to come" if fetching.to_come else ""
        why = f" ({escape(job.text)})" if job.text else ""
        yield f"[yellow]fetching {escape(job.name)}  {of}{more}[/yellow]{why}"
    for job in fetching.failed:
        yield f"[red]not fetched: {escape(job.name)}[/red]  {escape(why_failed(job))}"


def _table(
    instances: tuple[Status, ...], now: float, width: int | None, rates: AllRates | None
) -> Iterator[str]:
    if rates is None:
        table = Table(_HEAD, _DROP)
        for instance in instances:
            table.add(*_cells(instance, now))
    else:
        table = Table((*_HEAD, *_RATES), _BY_RATES)
        for instance in instances:
            own = rates.get((instance.host, instance.instance))
            table.add(*_cells(instance, now), *_rate_cells(own))
    yield from table.whole(width)


def _rate_cells(rates: Rates | None) -> tuple[str | Cell, ...]:
    if rates is None:
        return ("-", "-", "-")
    waiting = _figure(rates.waiting)
    return (
        _figure(rates.tokens_per_second, 1),
        _figure(rates.running),
        Cell(waiting, "yellow") if rates.waiting else waiting,
    )


def _figure(value: float | None, digits: int = 0) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _reasons(instances: tuple[Status, ...]) -> Iterator[str]:
    reasons = [(f"{i.host}/{i.instance}", i.reason) for i in instances if i.reason]
    if reasons:
        width = max(len(name) for name, _ in reasons)
        yield ""
        yield from (f"{escape(name):<{width}}  {escape(reason)}" for name, reason in reasons)


def _memory(instances: tuple[Status, ...]) -> Iterator[str]:
    lines = [
        f"{i.host}/{i.instance}  {line}"
        for i in instances
        for line in compared(i.forecast, i.devices)
    ]
    if lines:
        yield ""
        yield from map(escape, lines)


def _counts(instances: tuple[Status, ...]) -> str:
    counts = {state: sum(i.status == state for i in instances) for state in _COLOUR}
    parts = [f"{count} {_shown(state)}" for state, count in counts.items() if count]
    return ", ".join(parts) or "no instances"


def _gateway_line(gateway: GatewayStatus) -> str:
    colour = "green" if gateway.good else ("magenta" if gateway.status == "unknown" else "bold red")
    return f"[{colour}]GATEWAY[/{colour}]  {escape(gateway.line)}"


def _cells(row: Status, now: float) -> tuple[str | Cell, ...]:
    layers = "-"
    if row.total_layers is not None and row.gpus:
        layers = f"{row.offloaded_layers}/{row.total_layers}"
        if row.draft is not None and row.draft.total_layers is not None:
            layers += f" +{row.draft.offloaded}/{row.draft.total_layers}"
    return (
        row.host,
        row.instance,
        Cell(_shown(row.status), _COLOUR[row.status]),
        ago(now - row.since) if row.since and row.status in ("running", "loading") else "-",
        short_name_of(row.backend) if row.backend else "-",
        str(row.port or "-"),
        ",".join(map(str, row.gpus)) if row.gpus else ("cpu" if row.backend else "-"),
        layers,
        _context(row),
        "-" if row.restarts is None else str(row.restarts),
    )


def _context(row: Status) -> str:
    if not (row.context_length and row.slots):
        return "-"
    return f"{row.context_length}{' shared by ' if row.shared_context else 'x'}{row.slots}"


def _shown(status: str) -> str:
    return status.upper() if status == "failed" else status
