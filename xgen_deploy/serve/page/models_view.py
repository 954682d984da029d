"""The rows of instances, as the page shows them. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from xgen_deploy.backends.registry import short_name_of
from xgen_deploy.live.values import Gone, HostValues, Rates
from xgen_deploy.state.observation import records_of
from xgen_deploy.state.site import Site
from xgen_deploy.verify.curl import curl_line
from xgen_deploy.verify.entry_points import instance_ways
from xgen_deploy.verify.site_status import SiteStatus
from xgen_deploy.verify.status import Status


@dataclass(frozen=True)
class InstanceRow:
    """`state` names a text, `state_running`; `curl` is None where nothing answers."""

    status: Status
    state: str
    backend: str
    gpus: str
    layers: str
    context: str
    rates: Rates | None
    curl: str | None
    actions: tuple[str, ...]


_ACTIONS = {"stopped": ("start", "edit", "remove"), "absent": ("edit", "remove"), "unknown": ()}


def instance_rows(
    site: Site, status: SiteStatus, latest: Mapping[str, HostValues | Gone]
) -> tuple[InstanceRow, ...]:
    known = {(d.host, d.name): d.model for d in site.declared}
    curls = {
        (way.host, way.name): curl_line(site, way)
        for way in instance_ways(site, records_of(status.observed))
        if known.get((way.host, way.name)) == way.model
    }
    return tuple(_row(instance, curls, latest) for instance in status.instances)


def _row(
    status: Status,
    curls: Mapping[tuple[str, str], str],
    latest: Mapping[str, HostValues | Gone],
) -> InstanceRow:
    values = latest.get(status.host)
    rates = values.instances.get(status.instance) if isinstance(values, HostValues) else None
    running = status.status == "running"
    return InstanceRow(
        status=status,
        state=f"state_{status.status.replace(' ', '_')}",
        backend=short_name_of(status.backend) if status.backend else "–",
        gpus=", ".join(map(str, status.gpus))
        if status.gpus
        else ("CPU" if status.backend else "–"),
        layers=_layers(status),
        context=_context(status),
        rates=rates,
        curl=curls.get((status.host, status.instance)) if running else None,
        actions=_ACTIONS.get(status.status, ("restart", "stop", "edit", "remove")),
    )


def _layers(status: Status) -> str:
    if status.total_layers is None or not status.gpus:
        return "–"
    return f"{status.offloaded_layers}/{status.total_layers}"


def _context(status: Status) -> str:
    if not (status.context_length and status.slots):
        return "–"
    return f"{status.context_length} × {status.slots}"
