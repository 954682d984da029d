"""`xgen-deploy start`: ends what `stop` began."""

import click

from xgen_deploy.cli.maintaining import maintain
from xgen_deploy.cli.opening import open_run
from xgen_deploy.cli.options import Settings, host_options


@click.command("start")
@click.option("-y", "--yes", is_flag=True, help="Ask nothing. Needed without a terminal.")
@host_options
@click.argument("instances", nargs=-1)
def command(settings: Settings, instances: tuple[str, ...], yes: bool) -> int:
    """Start INSTANCES (all of the manifest's where none is named) that were stopped.

    Shown and asked first. Each must answer a real request before it counts as started.
    """
    with open_run(settings) as run:
        return maintain(run, settings, "start", instances, yes=yes)
