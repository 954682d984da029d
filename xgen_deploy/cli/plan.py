"""`xgen-deploy plan`: what would change, and why; changes nothing."""

import time

import click

from xgen_deploy.cli.job import job
from xgen_deploy.cli.options import Settings, host_options
from xgen_deploy.cli.screen import Screen
from xgen_deploy.plan.json_form import plan_json
from xgen_deploy.plan.operation import Plan
from xgen_deploy.plan.text import plan_text
from xgen_deploy.survey import default_scope, make_plan


@click.command("plan")
@click.option(
    "--detailed-exitcode",
    is_flag=True,
    help="2 when changes are pending, 3 when only drift is to be repaired.",
)
@click.option("--repin", is_flag=True, help="Accept that a GPU's index means another card now.")
@host_options
def command(settings: Settings, detailed_exitcode: bool, repin: bool) -> int:
    """Show what `apply` would change on every host, field by field, and why.

    Nothing is changed anywhere. A host that cannot be reached is reported, the others go on.
    """
    began = time.monotonic()
    with job(settings) as work:
        seen = work.observe()
        scopes = {h: default_scope(work.site, h, repin=repin) for h in seen}
        plan = make_plan(work.site, seen, work.workplace, scopes)
    screen = Screen(settings)
    took = time.monotonic() - began
    screen.lines(
        plan_text(plan, took, verbose=settings.verbose),
        always=bool(plan.refusals or plan.unreachable),
    )
    screen.value(plan_json(plan))
    return exit_code(plan, detailed=detailed_exitcode)


def exit_code(plan: Plan, *, detailed: bool = False) -> int:
    """The first that holds: 1 refused or nobody reached, 4 some host not reached, 2 or 3, 0."""
    if plan.refusals:
        return 1
    if plan.unreachable:
        return 4 if len(plan.unreachable) < len(plan.hosts) else 1
    if detailed and plan.operations:
        return 3 if all(o.action == "repair" for o in plan.operations) else 2
    return 0
