"""`xgen-deploy destroy`: removes a project from its hosts, except model files."""

import click

from xgen_deploy.apply.options import ApplyOptions
from xgen_deploy.cli.applying import carry_out
from xgen_deploy.cli.manifest_command import NamedManifestCommand
from xgen_deploy.cli.opening import open_run
from xgen_deploy.cli.options import Settings, host_options, take_over_option
from xgen_deploy.errors import UsageError
from xgen_deploy.plan.host_plan import empty_site


@click.command("destroy", cls=NamedManifestCommand)
@click.option("-y", "--yes", is_flag=True, help="Do not ask. Required without a terminal.")
@take_over_option
@host_options
def command(settings: Settings, yes: bool, take_over: bool) -> int:
    """Remove the project from its hosts: units, containers, settings, secrets and records.

    Model files and images stay.
    """
    with open_run(settings, brings=False) as run:
        if run.site.limited_models:
            raise UsageError(
                "destroy removes whole hosts, so --limit takes a host or a group; to remove a "
                "model, delete it from the manifest and apply"
            )
        emptied = run.over(empty_site(run.site))
        options = ApplyOptions(yes=yes, take_over=take_over, destroy=True, what="destroy")
        return carry_out(emptied, settings, options)
