"""`xgen-deploy status`: what runs, as the engines report it."""

import time

import click

from xgen_deploy.cli.opening import open_run
from xgen_deploy.cli.options import Settings, host_options
from xgen_deploy.cli.screen import Screen
from xgen_deploy.cli.status_screen import status_lines, warning_lines
from xgen_deploy.verify.site_status import SiteStatus, site_status


@click.command("status")
@host_options
def command(settings: Settings) -> int:
    """Show what runs on every host, with the layers, devices and context that engines reported.

    Exits with 0 if every instance runs, 1 if one does not, 4 if a host could not be reached.
    """
    with open_run(settings) as run:
        status = site_status(run.site, run.observe(health=True))
    screen = Screen(settings)
    always = not status.all_run or bool(warning_lines(status))
    screen.lines(status_lines(status, time.time()), always=always)
    screen.value(_value(status))
    return status.exit_code


def _value(status: SiteStatus) -> dict[str, object]:
    return {
        "hosts": {
            n: {
                "reachable": n not in status.unreached,
                "error": status.errors.get(n),
                "lock": lock.model_dump(mode="json") if (lock := status.locks.get(n)) else None,
                "watchdog": w.model_dump() if (w := status.watchdogs.get(n)) else None,
            }
            for n in status.observed
        },
        "models": [i.model_dump(mode="json") for i in status.instances],
        "gateways": [g.model_dump(mode="json") for g in status.gateways],
    }
