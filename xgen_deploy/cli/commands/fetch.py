"""`xgen-deploy fetch`: brings the models that hosts lack, and changes nothing that runs."""

import time

import click

from xgen_deploy.cli.detaching import called_off, check_alone, detached, waited
from xgen_deploy.cli.manifest_command import ManifestCommand
from xgen_deploy.cli.opening import open_run
from xgen_deploy.cli.options import Settings, bundle_options, host_options, limit_rate_option
from xgen_deploy.cli.preload import FETCHING
from xgen_deploy.cli.screens.screen import Screen
from xgen_deploy.documents.plan import plan_errors
from xgen_deploy.errors import XgenError, exit_code_of, first_that_holds
from xgen_deploy.run.run import Run
from xgen_deploy.state.plan import Plan


@click.command("fetch", cls=ManifestCommand)
@click.option("--detach", is_flag=True, help="Return at once; the hosts go on by themselves.")
@click.option("--wait", is_flag=True, help="Wait for what was begun with --detach.")
@click.option("--cancel", is_flag=True, help="End what was begun with --detach.")
@limit_rate_option
@bundle_options
@host_options
def command(settings: Settings, detach: bool, wait: bool, cancel: bool, limit_rate: int) -> int:
    """Bring the models that MANIFEST needs and its hosts have not got, the night before.

    Nothing is asked, locked, stopped or started. A fetch that is cut goes on where it was.
    """
    check_alone(detach, wait, cancel)
    with open_run(settings) as opened:
        run = opened.paced(limit_rate)
        if wait:
            return waited(run, settings, _shown)
        if cancel:
            return called_off(run, settings)
        plan = _shown(run, settings)
        bring = detached if detach else _brought
        lost = bring(run, settings, plan, limit_rate)
    return first_that_holds(plan.exit_code(), exit_code_of(lost.values()))


def _shown(run: Run, settings: Settings) -> Plan:
    began = time.monotonic()
    observed = run.observe(preload=FETCHING, to_bring=True)
    from xgen_deploy.plan.build import default_scope, make_plan
    from xgen_deploy.plan.desired import DesiredState
    from xgen_deploy.plan.text import fetch_text

    scopes = {h: default_scope(run.site, h) for h in observed}
    desired = DesiredState(run.site, run.renderer)
    plan = make_plan(run.site, observed, desired, scopes, now=time.time())
    settings.output.plan_errors(plan_errors(plan))
    lines = fetch_text(plan, time.monotonic() - began)
    Screen(settings).lines(lines, always=bool(plan.refusals or plan.unreachable))
    return plan


def _brought(run: Run, settings: Settings, plan: Plan, limit_rate: int) -> dict[str, XgenError]:
    """The hosts that have not got what they lack, with the reason."""
    if not plan.prepares:
        return {}
    from xgen_deploy.apply.fetch import Fetching
    from xgen_deploy.apply.quantize import quantize
    from xgen_deploy.cli.screens.progress import progress
    from xgen_deploy.secrets.resolver import SecretResolver

    with progress(settings) as report:
        fetching = Fetching(run, SecretResolver(run.site), report, limit_rate=limit_rate)
        lost = fetching.bring(plan.fetches)
        lost |= quantize(run, plan.quantizings, report, but=lost)
        copies = sum(event.kind == "done" for event in report.events)
        failed = sum(event.kind == "failed" for event in report.events)
        report.fetched(copies, failed)
    return lost
