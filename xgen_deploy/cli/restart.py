"""`xgen-deploy restart`: the same version, started anew."""

import click

from xgen_deploy.cli.maintaining import maintain
from xgen_deploy.cli.opening import open_run
from xgen_deploy.cli.options import Settings, host_options


@click.command("restart")
@click.option("-y", "--yes", is_flag=True, help="Ask nothing. Needed without a terminal.")
@host_options
@click.argument("instances", nargs=-1)
def command(settings: Settings, instances: tuple[str, ...], yes: bool) -> int:
    """Restart INSTANCES (all of the manifest's where none is named).

    Shown and asked first. Behind a gateway each is drained before; replicas of a model go batch
    by batch, and each must answer a real request before the next. What was stopped stays so.
    """
    with open_run(settings) as run:
        return maintain(run, settings, "restart", instances, yes=yes)
