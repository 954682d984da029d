"""A change's plan, by the same functions as `plan`, and the file that `apply` is given of it."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from xgen_deploy import frozen
from xgen_deploy.apply.going_back import Chosen, as_then
from xgen_deploy.audit.git import origin_of
from xgen_deploy.plan.build import maintenance_plan
from xgen_deploy.plan.choices import with_choices
from xgen_deploy.plan.maintenance import Request
from xgen_deploy.plan.saved import save
from xgen_deploy.plan.text import plan_text
from xgen_deploy.run.run import Run
from xgen_deploy.serve.planning import plan_of
from xgen_deploy.state.manifest_edit import ManifestEdit
from xgen_deploy.state.observation import Observed
from xgen_deploy.state.plan import Plan


@dataclass(frozen=True)
class Planned:
    """A plan with the run that it was made over; `to` is the apply that it goes back to."""

    run: Run
    plan: Plan
    observed: Observed
    to: int | None = None

    @property
    def models(self) -> Mapping[tuple[str, str], str]:
        """Of the instances that it is about, by host and name, as they are to be or as they are."""
        known = {
            (o.host, o.name): o.instance.spec.model for o in self.plan.operations if o.instance
        }
        return {(d.host, d.name): d.model for d in self.run.site.declared} | known


def planned_edit(run: Run) -> Planned:
    return plan_over(run, run.observe(to_bring=True))


def plan_over(run: Run, observed: Observed) -> Planned:
    """By what the hosts said before."""
    run = run.over(frozen.replace(run.site, origin=origin_of(run.site.manifest_file)))
    return _planned(run, observed, refuses_unfit=True)


def _planned(run: Run, observed: Observed, *, refuses_unfit: bool) -> Planned:
    plan = plan_of(run, run.site, observed, refuses_unfit=refuses_unfit)
    return Planned(run, plan, observed)


def planned_rollback(run: Run, chosen: Chosen) -> Planned:
    """Of what ran then, as `rollback` plans it; what fits or not is not asked again."""
    run = as_then(run, chosen)
    observed = run.observe(to_bring=True)
    return _planned(run, observed, refuses_unfit=False)


def planned_maintenance(run: Run, request: Request) -> Planned:
    observed = run.observe()
    return Planned(run, maintenance_plan(run.site, observed, request, now=time.time()), observed)


def saved_text(
    planned: Planned, edit: ManifestEdit, inventory: tuple[str, ...], variables: tuple[str, ...]
) -> str:
    """What `plan -o` writes, with the edit that it is of."""
    saved = save(
        planned.plan,
        with_choices(planned.run.site, planned.plan),
        tuple(plan_text(planned.plan, 0.0)),
        manifest=str(Path(planned.run.site.manifest_file).absolute()),
        inventories=[str(Path(path).absolute()) for path in inventory],
        variables=[_absolute(text) for text in variables],
        edit=edit,
    )
    return saved.model_dump_json(exclude_none=True)


def _absolute(variable: str) -> str:
    return f"@{Path(variable[1:]).absolute()}" if variable.startswith("@") else variable
