"""The order in which the instances of one model change, over all hosts: a canary, then batch by
batch. Pure.

An operation needs every one of the batch before: a batch that fails stops the rest of its model.
Batches go by the order of the hosts, so that no two models wait for each other.
"""

from collections.abc import Mapping
from itertools import pairwise

from xgen_deploy.frozen import replace
from xgen_deploy.state.plan import HostPlan, Kind, Operation

_ONE = 1


def in_batches(
    plans: Mapping[str, HostPlan], *, kinds: frozenset[Kind] | None = None
) -> dict[str, HostPlan]:
    """The plans, with the operations that each one of these `kinds` has to wait for; without them
    those that take the place of what serves: each update, and the repair of what serves."""
    by_model: dict[str, list[Operation]] = {}
    for plan in plans.values():
        for operation in plan.operations:
            batched = operation.strategy is not None if kinds is None else operation.kind in kinds
            if batched and operation.instance is not None:
                by_model.setdefault(operation.instance.spec.model, []).append(operation)
    needs: dict[str, tuple[str, ...]] = {}
    for operations in by_model.values():
        for before, batch in pairwise(batches(operations)):
            needs |= {operation.id: tuple(b.id for b in before) for operation in batch}
    return {name: _with(plan, needs) for name, plan in plans.items()}


def batches(operations: list[Operation]) -> list[list[Operation]]:
    """Updates of one model, cut as its `update:` says: `canary` of them first (one, unless stated
    otherwise), then `max_unavailable` (one) at a time. Where its instances say different things, as
    the record of one host may, the most careful one holds.
    """
    stated = [o.instance.declared.update for o in operations if o.instance is not None]
    size = min((u.max_unavailable or _ONE for u in stated), default=_ONE)
    canaries = [_ONE if u.canary is None else u.canary for u in stated]
    canary = min((c for c in canaries if c), default=0)
    cut = [operations[:canary]] if canary else []
    rest = operations[canary:]
    cut += [rest[i : i + size] for i in range(0, len(rest), size)]
    return [batch for batch in cut if batch]


def _with(plan: HostPlan, needs: Mapping[str, tuple[str, ...]]) -> HostPlan:
    operations = tuple(
        replace(o, needs=tuple(dict.fromkeys((*o.needs, *needs.get(o.id, ())))))
        for o in plan.operations
    )
    return replace(plan, operations=operations)
