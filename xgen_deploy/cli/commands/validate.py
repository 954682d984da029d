"""`xgen-deploy validate`: every check that needs no host."""

import time

import click
from rich.markup import escape

from xgen_deploy.cli.manifest_command import ManifestCommand
from xgen_deploy.cli.opening import read_site
from xgen_deploy.cli.options import Settings, fleet_option, host_options
from xgen_deploy.cli.screens.screen import Screen
from xgen_deploy.documents.plan import plan_errors, refusal_error
from xgen_deploy.documents.validate import ValidateDocument
from xgen_deploy.resolve.locked import misfits
from xgen_deploy.resolve.without_hosts import foreseen
from xgen_deploy.state.plan import Plan
from xgen_deploy.state.site import Site


@click.command("validate", cls=ManifestCommand)
@fleet_option
@host_options
def command(settings: Settings, fleet: str | None) -> int:
    """Check MANIFEST and its inventory. No host is contacted. With --fleet also whether hosts such
    as a file describes could run it."""
    site = read_site(settings)
    screen = Screen(settings)
    warnings = (*site.warnings, *foreseen(site))
    screen.lines([f"[yellow]warning[/yellow]  {escape(w)}" for w in warnings], always=True)
    plan = _plan(site, fleet) if fleet is not None else None
    unfit = tuple(misfits(site)) if plan is None else ()
    refusals = plan.refusals if plan is not None else unfit
    screen.lines([f"[red]refused[/red]  {escape(str(r))}" for r in refusals], always=True)
    count, hosts = len(site.declared), len(site.hosts)
    if not refusals:
        screen.lines(
            [
                f"{escape(settings.manifest)}: valid: {count} instance{'s'[: count != 1]} "
                f"on {hosts} host{'s'[: hosts != 1]}"
            ]
        )
    screen.value(
        ValidateDocument(
            valid=not refusals,
            project=site.project,
            instances=count,
            hosts=tuple(site.hosts),
            warnings=tuple(warnings),
            errors=tuple(plan_errors(plan) if plan is not None else map(refusal_error, unfit)),
        )
    )
    return 1 if refusals else 0


def _plan(site: Site, fleet: str) -> Plan:
    """On the fleet in a file."""
    from xgen_deploy.manifest.fleet_file import read_fleet
    from xgen_deploy.plan.build import make_plan
    from xgen_deploy.plan.desired import DesiredState
    from xgen_deploy.run.fleet_run import run_on_fleet

    run = run_on_fleet(site, read_fleet(fleet)).placed()
    desired = DesiredState(run.site, run.renderer)
    return make_plan(run.site, run.observe(), desired, {}, now=time.time())
