"""`xgen-deploy status`: what runs, as the engines report it."""

import time
from collections.abc import Iterator

import click

from xgen_deploy.cli.documents.status import HostEntry, StatusDocument
from xgen_deploy.cli.error_entry import ErrorEntry, host_errors
from xgen_deploy.cli.how_to_ask import asking_lines
from xgen_deploy.cli.manifest_command import ManifestCommand
from xgen_deploy.cli.opening import open_run
from xgen_deploy.cli.options import Settings, host_options
from xgen_deploy.cli.screen import Screen
from xgen_deploy.cli.status_screen import status_lines, warning_lines
from xgen_deploy.state.observation import Observed, reached, records_of
from xgen_deploy.state.site import Site
from xgen_deploy.verify.site_status import SiteStatus, site_status

_EVERY = 3.0  # seconds


@click.command("status", cls=ManifestCommand)
@click.option("--watch", is_flag=True, help="Look again every 3 s; Ctrl-C ends.")
@host_options
def command(settings: Settings, watch: bool) -> int:
    """Show what runs on every host, with the layers, devices and context that engines reported.

    Exits with 0 if every instance runs, 1 if one does not, 4 if a host could not be reached.
    """
    screen = Screen(settings)
    with open_run(settings) as run:
        while True:
            status = site_status(run.site, run.observe(health=True))
            if watch and screen.width is not None:
                click.clear()
            _show(status, run.site, settings, screen, watch=watch)
            if not watch:
                return status.exit_code
            time.sleep(_EVERY)


def _show(
    status: SiteStatus, site: Site, settings: Settings, screen: Screen, *, watch: bool
) -> None:
    always = not status.all_run or bool(warning_lines(status))
    screen.lines(status_lines(status, time.time(), screen.width), always=always)
    if not watch:
        screen.lines(_how_to_ask(site, status, settings.manifest), exact=True)
    screen.value(_document(status), more=watch)


def _how_to_ask(site: Site, status: SiteStatus, manifest: str) -> list[str]:
    down = {(i.host, i.instance) for i in status.instances if i.status != "running"}
    if len(down) == len(status.instances):
        return []
    lines = asking_lines(site, records_of(status.observed), manifest, down)
    return ["", *lines] if lines else []


def _document(status: SiteStatus) -> StatusDocument:
    return StatusDocument(
        hosts={
            n: HostEntry(
                reachable=n not in status.unreached,
                error=status.errors.get(n),
                lock=status.locks.get(n),
                watchdog=status.watchdogs.get(n),
            )
            for n in status.observed
        },
        models=status.instances,
        gateways=status.gateways,
        errors=tuple(_errors(status.observed)),
    )


def _errors(observed: Observed) -> Iterator[ErrorEntry]:
    """Of hosts that could not be observed, or not whole."""
    yield from host_errors(observed)
    for name, observation in reached(observed).items():
        if observation.record is None:
            yield ErrorEntry(message=observation.record_error, host=name)
