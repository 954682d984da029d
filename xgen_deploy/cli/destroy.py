"""`xgen-deploy destroy`: takes a project off its hosts, but never a model file."""

import click

from xgen_deploy.apply.options import ApplyOptions
from xgen_deploy.cli.applying import carry_out
from xgen_deploy.cli.opening import open_run
from xgen_deploy.cli.options import Settings, host_options
from xgen_deploy.errors import UsageError
from xgen_deploy.plan.host_plan import empty_site
from xgen_deploy.run.run import Run


@click.command("destroy")
@click.option("-y", "--yes", is_flag=True, help="Ask nothing. Needed without a terminal.")
@host_options
def command(settings: Settings, yes: bool) -> int:
    """Take every instance of the project off the hosts: units, containers, settings, secrets and
    records. Model files and images stay.
    """
    with open_run(settings) as run:
        if run.site.limited_models:
            raise UsageError(
                "destroy takes whole hosts; --limit HOST is understood, a model's "
                "name is not: remove the model from the manifest and apply"
            )
        gone = Run(empty_site(run.site), run.control_node, run.connections)
        return carry_out(gone, settings, ApplyOptions(yes=yes, destroy=True, what="destroy"))
