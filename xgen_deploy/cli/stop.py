"""`xgen-deploy stop`: maintenance that is remembered."""

import click

from xgen_deploy.cli.maintaining import maintain
from xgen_deploy.cli.opening import open_run
from xgen_deploy.cli.options import Settings, host_options


@click.command("stop")
@click.option("-y", "--yes", is_flag=True, help="Ask nothing. Needed without a terminal.")
@host_options
@click.argument("instances", nargs=-1)
def command(settings: Settings, instances: tuple[str, ...], yes: bool) -> int:
    """Stop INSTANCES (all of the manifest's where none is named), and remember that.

    Shown and asked first. Behind a gateway each is drained before. They stay stopped over boots
    and applies until `xgen-deploy start`.
    """
    with open_run(settings) as run:
        return maintain(run, settings, "stop", instances, yes=yes)
