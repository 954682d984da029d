"""`xgen-deploy stop`: maintenance that is remembered."""

import sys

import click
from rich.markup import escape

from xgen_deploy.apply.maintenance import stop
from xgen_deploy.apply.place import HostAtWork
from xgen_deploy.cli.job import job
from xgen_deploy.cli.options import Settings, host_options
from xgen_deploy.cli.screen import Screen
from xgen_deploy.cli.take import by
from xgen_deploy.cli.under_lock import chosen_instances, on_instances
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
        wanted, screen = chosen_instances(work, instances), Screen(settings)
        if not yes:
            _ask(wanted, screen)

        def act(place: HostAtWork, name: str) -> str:
            return stop(place, name, by())

        return on_instances(work, wanted, "stop", act, screen)


def _ask(wanted: dict[str, list[str]], screen: Screen) -> None:
    named = [f"{host}/{name}" for host, names in wanted.items() for name in names]
    screen.lines(f"stop  {escape(one)}" for one in named)
    if not sys.stdin.isatty():
        raise UsageError("there is no terminal to ask at; give -y")
    if not click.confirm(f"Stop {len(named)} instance{'s'[: len(named) != 1]}?"):
        raise click.Abort
