"""The exit code of a plan."""

from xgen_deploy.state.plan import Plan


def exit_code(plan: Plan, *, detailed: bool = False) -> int:
    """The first that holds: 1 refused or nobody reached, 4 some host not reached, 2 or 3, 0."""
    if plan.refusals:
        return 1
    if plan.unreachable:
        return 4 if len(plan.unreachable) < len(plan.hosts) else 1
    if detailed and plan.operations:
        return 3 if all(o.action == "repair" for o in plan.operations) else 2
    return 0
