"""`xgen-deploy gpus`: each host's GPUs, what it can run and what is missing."""

import time

import click

from xgen_deploy.cli.manifest_command import ManifestCommand
from xgen_deploy.cli.opening import open_run
from xgen_deploy.cli.options import Settings, host_options
from xgen_deploy.cli.screens.gpu_table import gpu_table
from xgen_deploy.cli.screens.screen import Screen
from xgen_deploy.documents.gpu_overview import gpus_document
from xgen_deploy.errors import XgenError, exit_code_of
from xgen_deploy.plan.out_of_service import in_force

_EVERY = 5.0  # seconds; amdsmi was seen to fail when asked more often


@click.command("gpus", cls=ManifestCommand)
@click.option("--watch", is_flag=True, help="Refresh every 5 s; Ctrl-C ends.")
@host_options
def command(settings: Settings, watch: bool) -> int:
    """Show every host's GPUs, who uses them, what the host can run and what is missing."""
    screen = Screen(settings)
    with open_run(settings, brings=False) as run:
        while True:
            observed = in_force(run.observe(), time.time())
            if watch and not settings.json:
                click.clear()
            width = screen.width
            screen.lines(gpu_table(run.site, observed, verbose=settings.verbose, width=width))
            if settings.json:
                screen.value(gpus_document(run.site, observed), more=watch)
            if not watch:
                break
            time.sleep(_EVERY)
    return exit_code_of(o for o in observed.values() if isinstance(o, XgenError))
