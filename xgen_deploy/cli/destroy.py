"""`xgen-deploy destroy`: takes a project off its hosts, but never a model file."""

import time

import click

from xgen_deploy.cli.applying import Applying, How
from xgen_deploy.cli.job import job
from xgen_deploy.cli.options import Settings, host_options
from xgen_deploy.errors import UsageError
from xgen_deploy.plan.make import empty_site


@click.command("destroy")
@click.option("-y", "--yes", is_flag=True, help="Ask nothing. Needed without a terminal.")
@host_options
def command(settings: Settings, yes: bool) -> int:
    """Take every instance of the project off the hosts: units, containers, settings, secrets and
    records. Model files and images stay.
    """
    with job(settings) as work:
        if work.site.limited_models:
            raise UsageError(
                "destroy takes whole hosts; --limit HOST is understood, a model's "
                "name is not: remove the model from the manifest and apply"
            )
        gone = type(work)(empty_site(work.site), work.workplace, work.connections)
        began = time.monotonic()
        how = How(yes=yes, destroy=True, what="destroy")
        return Applying(gone, settings, how).run(gone.observe(), began)
