"""`xgen-deploy start`: ends what `stop` began."""

import click

from xgen_deploy.apply.maintenance import start
from xgen_deploy.cli.job import job
from xgen_deploy.cli.options import Settings, host_options
from xgen_deploy.cli.screen import Screen
from xgen_deploy.cli.under_lock import chosen_instances, on_instances


@click.command("start")
@host_options
@click.argument("instances", nargs=-1)
def command(settings: Settings, instances: tuple[str, ...]) -> int:
    """Start INSTANCES (all of the manifest's where none is named) that were stopped."""
    with job(settings) as work:
        return on_instances(
            work, chosen_instances(work, instances), "start", start, Screen(settings)
        )
