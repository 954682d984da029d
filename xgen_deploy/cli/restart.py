"""`xgen-deploy restart`: the same version, started anew."""

import click

from xgen_deploy.apply.maintenance import restart
from xgen_deploy.cli.job import job
from xgen_deploy.cli.options import Settings, host_options
from xgen_deploy.cli.screen import Screen
from xgen_deploy.cli.under_lock import chosen_instances, on_instances


@click.command("restart")
@host_options
@click.argument("instances", nargs=-1)
def command(settings: Settings, instances: tuple[str, ...]) -> int:
    """Restart INSTANCES (all of the manifest's where none is named), one after another."""
    with job(settings) as work:
        return on_instances(
            work, chosen_instances(work, instances), "restart", restart, Screen(settings)
        )
