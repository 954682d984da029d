"""A model that leaves one place for another: the old one goes once the new one is proved. Pure.

A removal waits for whatever brings its model up elsewhere. What comes waits for what goes on its
host only where the two compete. Where these would wait for each other (two models that change
places), the removal goes first, and the plan says so.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush

from xgen_deploy.frozen import replace
from xgen_deploy.plan.contention import compete, takes_over
from xgen_deploy.resolve.gateway_needs import everywhere
from xgen_deploy.state.facts import HostFacts
from xgen_deploy.state.plan import HostPlan, Kind, Operation
from xgen_deploy.state.record import InstanceRecord, Record
from xgen_deploy.state.site import Site

_SHOWN = 3
NO_ROOM = "a move without room for both: it is removed before the new one is verified"


@dataclass
class _Graph:
    """All operations; `needs` by id what each waits for, `held` those that are not done now, with
    the reason. A removal `moves` to the operations that bring its model up elsewhere.
    """

    site: Site
    plans: Mapping[str, HostPlan]
    facts: Mapping[str, HostFacts]
    records: Mapping[str, Record]
    operations: dict[str, Operation] = field(default_factory=dict)
    needs: dict[str, dict[str, None]] = field(default_factory=dict)
    moves: dict[str, tuple[str, ...]] = field(default_factory=dict)
    held: dict[str, str] = field(default_factory=dict)
    warnings: dict[str, list[str]] = field(default_factory=dict)
    notes: dict[str, list[str]] = field(default_factory=dict)

    def last(self, operation: Operation) -> InstanceRecord | None:
        """The instance's record on its host; None without one."""
        record = self.records.get(operation.host)
        return record.instances.get(operation.name) if record else None

    def waiting(self) -> dict[str, list[str]]:
        """By id what waits for it."""
        waiting: dict[str, list[str]] = {}
        for operation_id, needs in self.needs.items():
            for need in needs:
                waiting.setdefault(need, []).append(operation_id)
        return waiting

    def dependents(self, first: str) -> frozenset[str]:
        """The operation and all that wait for it, directly or not."""
        waiting = self.waiting()
        dependents, todo = {first}, [first]
        while todo:
            fresh = [o for o in waiting.get(todo.pop(), ()) if o not in dependents]
            dependents.update(fresh)
            todo += fresh
        return frozenset(dependents)


def with_moves(
    site: Site,
    plans: Mapping[str, HostPlan],
    facts: Mapping[str, HostFacts],
    records: Mapping[str, Record],
) -> dict[str, HostPlan]:
    """The plans with their operations in an order in which they can be carried out, host by host,
    whatever waits for another host's.
    """
    graph = _Graph(site, plans, facts, records)
    for plan in plans.values():
        for operation in plan.operations:
            graph.operations[operation.id] = operation
            graph.needs[operation.id] = dict.fromkeys(operation.needs)
    going = [o for o in graph.operations.values() if o.kind is Kind.REMOVE]
    coming = [
        o
        for o in graph.operations.values()
        if o.kind is not Kind.CLEAR_SLOT and o.instance is not None
    ]
    _make_room(graph, going, coming)
    for operation in going:
        _move(graph, operation, coming)
    _take_over(graph, coming)
    for held in tuple(graph.held):
        _hold_all(graph, held)
    order = _order(graph)
    return {name: _planned(graph, plan, order) for name, plan in plans.items()}


def _make_room(graph: _Graph, going: list[Operation], coming: list[Operation]) -> None:
    for old, new in _on_one_host(going, coming):
        if compete(graph.last(old), new, graph.facts[new.host]):
            graph.needs[new.id][old.id] = None


def _move(graph: _Graph, old: Operation, coming: list[Operation]) -> None:
    """The removal waits for its successor, unless the old one is stopped or not known to serve."""
    last = graph.last(old)
    if last is None or last.stopped is not None:
        return
    model = last.spec.model
    new = [o.id for o in coming if o.instance is not None and o.instance.spec.model == model]
    if not new:
        _look_elsewhere(graph, old, model)
        return
    waiting = graph.dependents(old.id)
    free = tuple(operation_id for operation_id in new if operation_id not in waiting)
    graph.moves[old.id] = free
    graph.needs[old.id] |= dict.fromkeys(free)


def _look_elsewhere(graph: _Graph, old: Operation, model: str) -> None:
    """No operation brings the model up: the removal waits unless it serves elsewhere."""
    rest = [d for d in everywhere(graph.site) if d.model == model]
    if not rest:
        return
    for instance in rest:
        record = graph.records.get(instance.host)
        last = record.instances.get(instance.name) if record else None
        if last is not None and last.stopped is None:
            return
    for instance in rest:
        plan, where = graph.plans.get(instance.host), f"{instance.host}/{instance.name}"
        if plan is not None and not plan.reachable:
            graph.held[old.id] = f"{where}, which is to serve {model}, cannot be reached"
        elif plan is not None and plan.left_out:
            graph.held[old.id] = f"{where}, which is to serve {model}, is refused"
        elif plan is None:
            warning = f"{old.name} is removed without checking that {where} serves {model}"
            graph.warnings.setdefault(old.host, []).append(warning)
            return
        if old.id in graph.held:
            return


def _take_over(graph: _Graph, coming: list[Operation]) -> None:
    """An instance that needs a GPU or port waits for the update of another that frees it."""
    for leaving, new in _on_one_host(coming, coming):
        what = takes_over(new, leaving, graph.last(leaving), graph.facts[new.host])
        if what is None:
            continue
        if leaving.id in graph.dependents(new.id):
            note = f"they swap {what}s: it starts while {leaving.id} still holds its {what}"
            graph.notes.setdefault(new.id, []).append(note)
        else:
            graph.needs[new.id][leaving.id] = None


def _on_one_host(
    first: list[Operation], second: list[Operation]
) -> Iterator[tuple[Operation, Operation]]:
    by_host: dict[str, list[Operation]] = {}
    for operation in first:
        by_host.setdefault(operation.host, []).append(operation)
    for other in second:
        yield from (
            (operation, other)
            for operation in by_host.get(other.host, ())
            if operation.id != other.id
        )


def _hold_all(graph: _Graph, first: str) -> None:
    for operation_id in graph.dependents(first):
        graph.held.setdefault(operation_id, f"it waits for {first}, which is not changed")


def _order(graph: _Graph) -> dict[str, int]:
    """By id its place in one order over all hosts in which everything comes after what it waits
    for: each host does its own one after the other. A removal that waits comes late.
    """
    rank = {o: (bool(graph.moves.get(o)), n, o) for n, o in enumerate(graph.operations)}
    left = {o: len(needs.keys() & rank.keys()) for o, needs in graph.needs.items()}
    waiting = graph.waiting()
    ready = [rank[o] for o, count in left.items() if not count]
    heapify(ready)
    order: dict[str, int] = {}
    while ready:
        done = heappop(ready)[-1]
        order[done] = len(order)
        for waiter in waiting.get(done, ()):
            left[waiter] -= 1
            if not left[waiter]:
                heappush(ready, rank[waiter])
    return order


def _planned(graph: _Graph, plan: HostPlan, order: Mapping[str, int]) -> HostPlan:
    operations = sorted(plan.operations, key=lambda o: order[o.id])
    left = [
        f"{o.name} is not changed: {graph.held[o.id]}" for o in operations if o.id in graph.held
    ]
    return replace(
        plan,
        operations=tuple(_with(graph, o) for o in operations if o.id not in graph.held),
        held=tuple(o.name for o in operations if o.id in graph.held),
        warnings=(*plan.warnings, *graph.warnings.get(plan.host, ()), *left),
    )


def _with(graph: _Graph, operation: Operation) -> Operation:
    notes = [*operation.notes, *graph.notes.get(operation.id, ())]
    operation = replace(operation, needs=tuple(graph.needs[operation.id]))
    if operation.id in graph.moves:
        new = graph.moves[operation.id]
        notes.append(f"a move: it serves until {_named(new)} is verified" if new else NO_ROOM)
        operation = replace(operation, moves=True, interrupts=not new)
    elif operation.kind is Kind.CREATE:
        old = [o for o, new in graph.moves.items() if operation.id in new]
        notes += [f"a move: {_named(old)} serves until this one is verified"] if old else []
    return replace(operation, notes=tuple(notes))


def _named(ids: Iterable[str]) -> str:
    listed = list(ids)
    more = len(listed) - _SHOWN
    return ", ".join(listed[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
