"""`--skip-refused`: hosts with refusals are left out, the others are changed. Pure."""

from collections.abc import Mapping

from xgen_deploy.frozen import replace
from xgen_deploy.state.plan import HostPlan


def without_refused(plans: Mapping[str, HostPlan]) -> dict[str, HostPlan]:
    """The plans, without operations on hosts where anything is refused."""
    return {name: _left_out(plan) if plan.refusals else plan for name, plan in plans.items()}


def _left_out(plan: HostPlan) -> HostPlan:
    return replace(plan, operations=(), left_out=True)
