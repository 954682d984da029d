"""A plan as the page shows it. Pure."""

from dataclasses import dataclass

from xgen_deploy.documents.plan import (
    ForecastEntry,
    HostEntry,
    OperationEntry,
    PlanDocument,
    RefusalEntry,
)
from xgen_deploy.state.plan import value_text


@dataclass(frozen=True)
class DiffView:
    path: str
    before: str
    after: str


@dataclass(frozen=True)
class OperationView:
    action: str
    instance: str
    cause: str
    interrupts: bool
    diff: tuple[DiffView, ...]
    forecast: tuple[str, ...]


@dataclass(frozen=True)
class HostView:
    name: str
    error: str | None
    operations: tuple[OperationView, ...]
    refusals: tuple[RefusalEntry, ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class PlanView:
    """Hosts with something to tell alone. `nothing`: nothing is to be done on any."""

    hosts: tuple[HostView, ...]
    warnings: tuple[str, ...]
    fingerprint: str
    nothing: bool


def plan_view(document: PlanDocument) -> PlanView:
    hosts = document.hosts or {}
    views = [_host(name, host) for name, host in hosts.items()]
    telling = [v for v in views if v.error or v.operations or v.refusals or v.warnings]
    return PlanView(
        hosts=tuple(telling),
        warnings=document.warnings or (),
        fingerprint=document.fingerprint or "",
        nothing=not any(v.error or v.operations or v.refusals for v in views),
    )


def _host(name: str, host: HostEntry) -> HostView:
    return HostView(
        name=name,
        error=None if host.reachable else host.error or "",
        operations=tuple(map(_operation, host.operations)),
        refusals=host.refusals,
        warnings=host.warnings,
    )


def _operation(operation: OperationEntry) -> OperationView:
    return OperationView(
        action=operation.action,
        instance=operation.instance,
        cause=operation.cause,
        interrupts=operation.interrupts,
        diff=tuple(
            DiffView(d.path, value_text(d.before), value_text(d.after)) for d in operation.diff
        ),
        forecast=tuple(_forecast(operation.forecast)) if operation.forecast else (),
    )


def _forecast(forecast: ForecastEntry) -> list[str]:
    about = "" if forecast.exact else "≈ "
    lines = [
        f"{need.gpu or 'RAM'}: {about}{need.total_mib / 1024:.2f} GiB"
        for need in forecast.needs
        if need.total_mib
    ]
    return [*lines, forecast.fails] if forecast.fails else lines
