"""Makes the plan from observations, shows it and saves it."""

import time
from dataclasses import dataclass
from pathlib import Path

from rich.markup import escape

from xgen_deploy.cli.options import Settings
from xgen_deploy.cli.saved_file import write_file
from xgen_deploy.cli.screens.screen import Screen
from xgen_deploy.documents.applied_commit import applied_commit, commit_line
from xgen_deploy.documents.plan import plan_document
from xgen_deploy.frozen import replace
from xgen_deploy.plan.build import default_scope, make_plan
from xgen_deploy.plan.choices import with_choices
from xgen_deploy.plan.desired import DesiredState
from xgen_deploy.plan.forecasts import with_forecasts
from xgen_deploy.plan.saved import save
from xgen_deploy.plan.text import plan_text
from xgen_deploy.run.run import Run
from xgen_deploy.state.instance_config import InstanceConfig
from xgen_deploy.state.observation import Observation, Observed, facts_of
from xgen_deploy.state.plan import Against, Plan
from xgen_deploy.state.repin import Repin


@dataclass(frozen=True)
class Accepting:
    """What a plan does only on request (see plan/host_plan.py and plan/desired.py)."""

    repin: Repin
    refresh: bool
    rebalance: bool
    take_over: bool


def planned(
    run: Run,
    observed: Observed,
    settings: Settings,
    *,
    began: float,
    accepting: Accepting,
    output: str | None,
    against: Against = "manifest",
) -> Plan:
    """Makes a plan, shows it, and saves it to `output`. `began` is in monotonic seconds, `against`
    as in Plan."""
    refresh = accepting.refresh
    desired = DesiredState(
        run.site, run.renderer, repin=accepting.repin, rebalance=accepting.rebalance
    )
    scopes = {h: default_scope(run.site, h, refresh=refresh) for h in observed}
    plan = make_plan(run.site, observed, desired, scopes, now=time.time(), against=against)
    if settings.verbose or settings.json:
        plan = replace(plan, hosts=with_forecasts(plan.hosts, facts_of(observed)))
    screen = Screen(settings)
    lines = plan_text(plan, time.monotonic() - began, verbose=settings.verbose)
    screen.lines(lines, always=bool(plan.refusals or plan.unreachable))
    if output is not None and not plan.refusals:
        saved = save(
            plan,
            with_choices(run.site, plan),
            tuple(lines),
            refresh=refresh,
            take_over=accepting.take_over,
            manifest=str(Path(settings.manifest).absolute()),
            inventories=[str(Path(path).absolute()) for path in settings.inventory],
            variables=[_absolute(text) for text in settings.variables],
            repin=accepting.repin,
        )
        write_file(output, saved.model_dump_json(exclude_none=True))
    applied = applied_commit(run.site.manifest_file, observed)
    if line := commit_line(run.site.manifest_file, applied):
        screen.lines([escape(line)])
    screen.value(replace(plan_document(plan), applied_commit=applied))
    return plan


def _absolute(variable: str) -> str:
    """Of `-e`: a file is found from anywhere."""
    return f"@{Path(variable[1:]).absolute()}" if variable.startswith("@") else variable


def as_applied(run: Run) -> Run:
    """The same hosts with the instances that their records say were last applied. Unreachable hosts
    keep the manifest's, and are reported later.
    """
    declared: list[InstanceConfig] = []
    for name, observation in run.observe().items():
        if not isinstance(observation, Observation) or observation.record is None:
            declared += run.site.on(name)  # its own plan refuses a record that cannot be used
            continue
        declared += [  # a record speaks for its own host and instance alone
            replace(r.declared, host=name, name=instance, adopt=None)
            for instance, r in observation.record.instances.items()
            if r.declared
        ]
    site = replace(run.site, declared=tuple(declared), lock=None)  # each as it was locked then
    return run.over(site)
