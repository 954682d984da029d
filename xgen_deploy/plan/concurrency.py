"""What one host does at the same time, and what it does in turn however it ends. Pure.

Independent instances start side by side. Those that share a GPU are in order by their needs (see
reconcile.py); here is the rest: room that was counted once is not taken twice, and what is only
started or restarted asks for a GPU in turn too.
"""

from collections.abc import Mapping, Sequence

from xgen_deploy.frozen import replace
from xgen_deploy.state.instance import Instance
from xgen_deploy.state.plan import HostPlan, Kind, Operation

_AT_ONCE = 4
_ALONE = frozenset({Kind.START, Kind.RESTART})


def most_at_once(operations: Sequence[Operation]) -> int:
    """Where the instances say different things, the most careful one holds."""
    updates = (o.instance.declared.update for o in operations if o.instance is not None)
    return min((u.max_parallel or _AT_ONCE for u in updates), default=_AT_ONCE)


def in_turn(plans: Mapping[str, HostPlan]) -> dict[str, HostPlan]:
    """The plans, with what comes after what, on each host by itself, in the order that it is in."""
    return {name: _host(plan) for name, plan in plans.items()}


def _host(plan: HostPlan) -> HostPlan:
    operations: list[Operation] = []
    for operation in plan.operations:
        after = tuple(o.id for o in operations if _one_by_one(o, operation))
        operations.append(replace(operation, after=after))
    return replace(plan, operations=tuple(operations))


def _one_by_one(before: Operation, operation: Operation) -> bool:
    old, new = before.instance, operation.instance
    if old is None or new is None:
        return False
    if before.strategy == operation.strategy == "start-first":
        return _share_room(old, new)
    in_order = before.kind in _ALONE and operation.kind in _ALONE
    return in_order and bool(_gpus(old) & _gpus(new))


def _share_room(old: Instance, new: Instance) -> bool:
    """Whether both of them were judged by the same free memory: of a GPU, or of the host."""
    on_host = [not i.gpus or i.software_gpu for i in (old, new)]
    return all(on_host) or bool(_gpus(old) & _gpus(new))


def _gpus(instance: Instance) -> frozenset[str]:
    """One identity for each card, by whatever name it is recorded; a missing one keeps its name."""
    known = {name: g.identity for g in instance.gpus for name in g.names}
    return frozenset(known.get(name, name) for name in instance.spec.gpus)
