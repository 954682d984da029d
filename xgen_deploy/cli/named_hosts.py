"""Options of the commands over hosts that are named on the command line, without a manifest."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial, wraps
from typing import Any

import click

from xgen_deploy.backends.registry import engine_words
from xgen_deploy.cli.opening import run_for
from xgen_deploy.cli.options import Settings, connection_options, output_options, settings_of
from xgen_deploy.run.named_hosts import named_hosts
from xgen_deploy.run.run import Run
from xgen_deploy.state.site import Site


def _options(function: Callable[..., Any], *, metavar: str, required: bool) -> Callable[..., Any]:
    """HOST…, and the options for hosts and output; the command gets `hosts` and `settings`."""

    @wraps(function)
    def with_settings(**values: Any) -> Any:
        settings, others = settings_of({**values, "manifest": "", "limit": (), "variables": ()})
        return function(settings=settings, **others)

    inventory = click.option(
        "-i",
        "--inventory",
        multiple=True,
        metavar="FILE",
        help="HOST is one of this inventory, or a group; repeatable.",
    )
    wrapped = output_options(inventory(connection_options(with_settings)))
    return click.argument("hosts", nargs=-1, required=required, metavar=metavar)(wrapped)


named_host_options = partial(_options, metavar="HOST...", required=True)
manifest_or_host_options = partial(_options, metavar="[MANIFEST | HOST...]", required=False)


@contextmanager
def open_named(names: Sequence[str], settings: Settings) -> Iterator[Run]:
    """A run over these hosts; its site has no project."""
    hosts = named_hosts(names, settings.inventory, engine_words())
    site = Site(project="", manifest_file="", manifest_digest="", hosts=hosts)
    with run_for(site, settings) as run:
        yield run
