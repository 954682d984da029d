"""`xgen-deploy plan`: what would change, and why; changes nothing."""

import os
import time

import click

from xgen_deploy.cli.job import Job, job
from xgen_deploy.cli.options import Settings, host_options
from xgen_deploy.cli.screen import Screen
from xgen_deploy.errors import UsageError, XgenError
from xgen_deploy.manifest.placement import Declared
from xgen_deploy.plan.json_form import plan_json
from xgen_deploy.plan.make import record_in
from xgen_deploy.plan.operation import Plan
from xgen_deploy.plan.saved import save
from xgen_deploy.plan.text import plan_text
from xgen_deploy.survey import default_scope, make_plan


@click.command("plan")
@click.option(
    "--detailed-exitcode",
    is_flag=True,
    help="2 when changes are pending, 3 when only drift is to be repaired.",
)
@click.option("--repin", is_flag=True, help="Accept that a GPU's index means another card now.")
@click.option(
    "--drift",
    is_flag=True,
    help="Hosts against their own last apply, whatever the manifest says by now.",
)
@click.option("-o", "--output", metavar="FILE", help="Save the plan for `apply FILE`.")
@host_options
def command(
    settings: Settings, detailed_exitcode: bool, repin: bool, output: str | None, drift: bool
) -> int:
    """Show what `apply` would change on every host, field by field, and why.

    Nothing is changed anywhere. A host that cannot be reached is reported, the others go on.
    """
    began = time.monotonic()
    with job(settings) as work:
        if drift:
            work = as_applied(work)
        seen = work.observe()
        scopes = {h: default_scope(work.site, h, repin=repin) for h in seen}
        plan = make_plan(work.site, seen, work.workplace, scopes)
    screen = Screen(settings)
    took = time.monotonic() - began
    lines = plan_text(plan, took, verbose=settings.verbose)
    screen.lines(lines, always=bool(plan.refusals or plan.unreachable))
    if output is not None and not plan.refusals:
        write_file(output, save(plan, work.site, tuple(lines)).model_dump_json(exclude_none=True))
    screen.value(plan_json(plan))
    return exit_code(plan, detailed=detailed_exitcode)


def as_applied(work: Job) -> Job:
    """The same hosts with what their records say was last applied. Unreachable ones keep what
    the manifest says: they are reported as such later.
    """
    declared: list[Declared] = []
    for name, one in work.observe().items():
        if one.facts is None:
            declared += work.site.on(name)
            continue
        try:
            record = record_in(one.facts, work.site.project, name)
        except XgenError:  # which its own plan will refuse
            declared += work.site.on(name)
            continue
        declared += [r.declared for r in record.instances.values() if r.declared]
    site = work.site.model_copy(update={"declared": tuple(declared)})
    return Job(site, work.workplace, work.connections)


def write_file(path: str, text: str) -> None:
    """Only the owner may read it: it names hosts and files. Raises UsageError."""
    try:
        with open(path, "w", encoding="utf-8", opener=_private) as file:
            file.write(text + "\n")
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from None


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def exit_code(plan: Plan, *, detailed: bool = False) -> int:
    """The first that holds: 1 refused or nobody reached, 4 some host not reached, 2 or 3, 0."""
    if plan.refusals:
        return 1
    if plan.unreachable:
        return 4 if len(plan.unreachable) < len(plan.hosts) else 1
    if detailed and plan.operations:
        return 3 if all(o.action == "repair" for o in plan.operations) else 2
    return 0
