"""Hosts whose last apply was of another manifest of the same project: perhaps this one is a copy
whose `project:` nobody changed, and what it lacks is not its own to remove. Pure.
"""

from collections.abc import Mapping

from xgen_deploy.frozen import replace
from xgen_deploy.state.origin import Origin
from xgen_deploy.state.plan import HostPlan, Kind, Operation, Plan
from xgen_deploy.state.record import Record

_REMOVALS = frozenset({Kind.REMOVE, Kind.REMOVE_GATEWAY, Kind.REMOVE_MONITORING})


def with_other_origins(
    plans: Mapping[str, HostPlan], records: Mapping[str, Record], origin: Origin | None
) -> dict[str, HostPlan]:
    """With a warning on each such host. An older record does not know its origin."""
    if origin is None:
        return dict(plans)
    others = {
        host: record.origin
        for host, record in records.items()
        if record.origin is not None and record.origin.differs_from(origin)
    }
    return {
        host: _warned(plan, others[host], origin) if host in others else plan
        for host, plan in plans.items()
    }


def _warned(plan: HostPlan, other: Origin, origin: Origin) -> HostPlan:
    warning = (
        f"the last apply here was of another manifest, {other}; this is {origin}. "
        "If it is a copy, give it a `project:` of its own"
    )
    return replace(plan, warnings=(*plan.warnings, warning), other_origin=other)


def taken_over(plan: Plan) -> tuple[Operation, ...]:
    """Removals of what another manifest applied."""
    return tuple(
        operation
        for host in plan.hosts.values()
        if host.other_origin is not None
        for operation in host.operations
        if operation.kind in _REMOVALS
    )


def taken_over_clause(plan: Plan) -> str:
    """`gpu-a/x, gpu-a/y, applied from lotte.yaml (repository 1a2b3c4)`."""
    names = ", ".join(operation.id for operation in taken_over(plan))
    hosts = (plan.hosts[operation.host] for operation in taken_over(plan))
    return f"{names}, applied from {', '.join(dict.fromkeys(str(h.other_origin) for h in hosts))}"
