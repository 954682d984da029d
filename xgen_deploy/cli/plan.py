"""`xgen-deploy plan`: what would change, and why; changes nothing."""

import time

import click

from xgen_deploy.cli.opening import open_run
from xgen_deploy.cli.options import Settings, host_options
from xgen_deploy.cli.preload import PLANNING


@click.command("plan")
@click.option(
    "--detailed-exitcode",
    is_flag=True,
    help="2 when changes are pending, 3 when only drift is to be repaired.",
)
@click.option("--repin", is_flag=True, help="Accept that a GPU's index means another card now.")
@click.option(
    "--refresh",
    is_flag=True,
    help="Also write units anew that an older xgen-deploy wrote, as updates.",
)
@click.option(
    "--drift",
    is_flag=True,
    help="Hosts against their own last apply, whatever the manifest says by now.",
)
@click.option("-o", "--output", metavar="FILE", help="Save the plan for `apply FILE`.")
@host_options
def command(
    settings: Settings,
    detailed_exitcode: bool,
    repin: bool,
    refresh: bool,
    output: str | None,
    drift: bool,
) -> int:
    """Show what `apply` would change on every host, field by field, and why.

    Nothing is changed anywhere. A host that cannot be reached is reported, the others go on.
    """
    began = time.monotonic()
    with open_run(settings) as run:
        if drift:
            from xgen_deploy.cli.planning import as_applied

            run = as_applied(run)
        observed = run.observe(preload=PLANNING)
    from xgen_deploy.cli.planning import Accepting, planned
    from xgen_deploy.plan.exit_code import exit_code

    accepting = Accepting(repin=repin, refresh=refresh)
    plan = planned(run, observed, settings, began=began, accepting=accepting, output=output)
    return exit_code(plan, detailed=detailed_exitcode)
