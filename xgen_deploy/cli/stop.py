"""`xgen-deploy stop`: maintenance that is remembered."""

import sys

import click

from xgen_deploy.apply.maintenance import stop
from xgen_deploy.cli.applying import by
from xgen_deploy.cli.job import job
from xgen_deploy.cli.options import Settings, host_options
from xgen_deploy.cli.under_lock import on_instances
from xgen_deploy.errors import UsageError


@click.command("stop")
@click.option("-y", "--yes", is_flag=True, help="Ask nothing. Needed without a terminal.")
@host_options
@click.argument("instances", nargs=-1)
def command(settings: Settings, instances: tuple[str, ...], yes: bool) -> int:
    """Stop INSTANCES (all of the manifest's where none is named), and remember that.

    They stay stopped over boots and applies until `xgen-deploy start`.
    """
    with job(settings) as work:
        if not yes:
            _ask(instances)
        return on_instances(work, instances, "stop", lambda place, name: stop(place, name, by()))


def _ask(instances: tuple[str, ...]) -> None:
    if not sys.stdin.isatty():
        raise UsageError("there is no terminal to ask at; give -y")
    if not click.confirm(f"Stop {', '.join(instances) or 'every instance'}?"):
        raise click.Abort
