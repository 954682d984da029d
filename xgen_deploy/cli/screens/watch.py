"""The one screen of `status --watch`: what runs, how fast, and on which GPUs. Pure."""

from collections.abc import Mapping

from xgen_deploy.cli.screens.gpu_table import gpu_rows
from xgen_deploy.cli.screens.screen import broken
from xgen_deploy.cli.screens.status import status_lines
from xgen_deploy.live.merged import with_values
from xgen_deploy.live.values import Gone, HostValues, Rates
from xgen_deploy.state.site import Site
from xgen_deploy.verify.site_status import SiteStatus

_KEYS = "[dim]q quits[/dim]"


def watch_lines(
    site: Site,
    status: SiteStatus,
    latest: Mapping[str, HostValues | Gone],
    now: float,
    size: tuple[int, int],
) -> list[str]:
    """Lines with `rich` markup that fit a terminal of this width and height. `status` has the
    instances that are asked for, `latest` the values since.
    """
    width, height = size
    lines = status_lines(status, now, width, rates=rates_of(latest))
    gpus = gpu_rows(site, with_values(status.observed, latest), width)
    return [*_cut([*lines, "", *gpus], width, height - 1), _KEYS]


def rates_of(latest: Mapping[str, HostValues | Gone]) -> dict[tuple[str, str], Rates]:
    """By host and instance."""
    return {
        (host, name): rates
        for host, values in latest.items()
        if isinstance(values, HostValues)
        for name, rates in values.instances.items()
    }


def _cut(lines: list[str], width: int, height: int) -> list[str]:
    heights = [len(broken(line, width)) for line in lines]
    if sum(heights) <= height:
        return lines
    kept, used = 0, 1
    while kept < len(lines) and used + heights[kept] <= height:
        used += heights[kept]
        kept += 1
    return [
        *lines[:kept],
        f"[yellow]{len(lines) - kept} more lines; make the window taller[/yellow]",
    ]
