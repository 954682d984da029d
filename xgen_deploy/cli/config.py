"""`xgen-deploy config`: the manifest that a host kept of its last apply."""

import click

from xgen_deploy.cli.from_host import show_from_host
from xgen_deploy.cli.options import connection_options, output_options, settings_of


@click.command("config")
@click.option(
    "--from-host",
    required=True,
    metavar="HOST",
    help="HOST as ssh takes it, or with -i of the inventory.",
)
@click.option("--project", metavar="NAME", help="Where several projects are on HOST.")
@click.option("-i", "--inventory", metavar="FILE", help="HOST is one of this inventory.")
@connection_options
@output_options
def command(from_host: str, project: str | None, **values: object) -> int:
    """Print the manifest that HOST kept of the last apply there, for `status`, `logs`, `restart`
    and `rollback` without the repository.

    Secrets are references. What a host says of how others are reached is left out.
    """
    settings, _ = settings_of({**values, "manifest": "", "limit": (), "variables": ()})
    return show_from_host(settings, from_host, project)
