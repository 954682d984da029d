"""`xgen-deploy plan`: shows what would change, and why."""

import time
from functools import partial

import click

from xgen_deploy.cli.gpu_names import AcceptingCommand, repin_of
from xgen_deploy.cli.opening import find_origin, open_run_or_fleet, with_origin
from xgen_deploy.cli.options import (
    Settings,
    accepting_options,
    bundle_options,
    fleet_option,
    host_options,
)
from xgen_deploy.cli.preload import PLANNING
from xgen_deploy.cli.saved_file import check_writable
from xgen_deploy.errors import UsageError


@click.command("plan", cls=AcceptingCommand)
@click.option(
    "--detailed-exitcode",
    is_flag=True,
    help="Exit with 2 for pending changes, with 3 for drift alone.",
)
@accepting_options
@click.option(
    "--drift",
    is_flag=True,
    help="Compare hosts with their own last apply instead of the manifest.",
)
@click.option("-o", "--output", metavar="FILE", help="Save the plan for `apply FILE`.")
@fleet_option
@bundle_options
@host_options
def command(
    settings: Settings,
    detailed_exitcode: bool,
    repin: tuple[str, ...],
    refresh: bool,
    rebalance: bool,
    take_over: bool,
    output: str | None,
    drift: bool,
    fleet: str | None,
) -> int:
    """Show what `apply` would change on every host, field by field, and why.

    Nothing is changed. Unreachable hosts are reported; the others are planned. With --fleet no host
    is contacted: the plan is for hosts such as a file describes, on which nothing runs.
    """
    if fleet is not None and (drift or output is not None):
        raise UsageError(
            "a plan for --fleet can be neither saved nor compared: leave out -o, --drift"
        )
    if settings.bundle is not None and (fleet is not None or output is not None):
        raise UsageError("the plan of a bundle is neither saved nor made for --fleet")
    began = time.monotonic()
    if output is not None:
        check_writable(output)
    with open_run_or_fleet(settings, fleet) as run:
        if drift:
            from xgen_deploy.cli.planning import as_applied

            run = as_applied(run)
            observed = run.observe(preload=PLANNING, to_bring=True)
        else:
            observed = run.observe(preload=PLANNING, also=partial(find_origin, run), to_bring=True)
            run = with_origin(run)
    from xgen_deploy.cli.planning import Accepting, planned

    accepting = Accepting(
        repin=repin_of(repin, run.site.hosts),
        refresh=refresh,
        rebalance=rebalance,
        take_over=take_over,
    )
    plan = planned(
        run,
        observed,
        settings,
        began=began,
        accepting=accepting,
        output=output,
        against="record" if drift else "manifest",
    )
    return plan.exit_code(detailed=detailed_exitcode)
