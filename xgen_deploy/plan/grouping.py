"""Hosts on which the same is to be done: the plan for people says it once. Pure."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from xgen_deploy.state.memory import GPUMemory
from xgen_deploy.state.plan import FieldDiff, HostPlan, Kind, Operation

_SHOWN = 12
Group = tuple[HostPlan, ...]
Column = tuple[Operation, ...]
Told = Callable[[Operation], Iterable[str]]


def told_needs(operation: Operation) -> tuple[str, ...]:
    """What it waits for, as far as a reader has to know."""
    all_told = operation.strategy is not None or operation.kind is Kind.RESTART or operation.moves
    return tuple(n for n in operation.needs if n.split("/", 1)[1] == operation.name or all_told)


def groups_alike(plans: Mapping[str, HostPlan], told: Told) -> list[Group]:
    """The hosts in groups with the same changes, in the order of the first of each. Changes are the
    same where the same is `told` of them, but for the host's name and the turn of their model.
    """
    models = {o.id: _model(o) for plan in plans.values() for o in plan.operations}
    groups: dict[object, Group] = {}
    for name, plan in plans.items():
        plain = plan.reachable and plan.operations and not (plan.refusals or plan.left)
        plain = plain and not (plan.cordon or plan.uncordon)
        changes = tuple(_change(operation, models, told) for operation in plan.operations)
        key = (plan.headline, changes) if plain else name
        groups[key] = (*groups.get(key, ()), plan)
    return list(groups.values())


def _model(operation: Operation) -> str | None:
    return operation.instance.spec.model if operation.instance else None


def _change(operation: Operation, models: Mapping[str, str | None], told: Told) -> tuple[str, ...]:
    needs = tuple(n for n in told_needs(operation) if not _is_turn(n, operation, models))
    diff = tuple(replace(d, mark=None) for d in operation.diff)
    plain = replace(operation, needs=needs, seconds=None, diff=diff)
    own = re.compile(rf"(?<![\w./-]){re.escape(operation.host)}/")
    return tuple(own.sub("", line) for line in told(plain))


def _is_turn(need: str, operation: Operation, models: Mapping[str, str | None]) -> bool:
    """It waits for an instance of the same model on another host."""
    model = _model(operation)
    elsewhere = not need.startswith(f"{operation.host}/") and not operation.moves
    return elsewhere and model is not None and models.get(need) == model


def merged(group: Group) -> HostPlan:
    """One that stands for all of them."""
    first = group[0]
    if len(group) == 1:
        return first
    columns = zip(*(plan.operations for plan in group), strict=True)
    return replace(
        first,
        host=", ".join(plan.host for plan in group),
        headline=f"{len(group)} hosts, each {first.headline}",
        operations=tuple(_for_all(column) for column in columns),
        memory=_tightest(group),
    )


def _tightest(group: Group) -> tuple[GPUMemory, ...]:
    """Of each GPU, by its place, the one with the least left."""
    columns = zip(*(plan.memory for plan in group), strict=False)
    places = [[(m, plan.host) for m, plan in zip(of_gpu, group, strict=True)] for of_gpu in columns]
    told = [min(place, key=lambda m: m[0].left or 0) for place in places]
    return tuple(replace(memory, where=host) for memory, host in told)


def _for_all(column: Column) -> Operation:
    """Its notes say what each waits for."""
    first = column[0]
    seconds = max((o.seconds for o in column if o.seconds), default=None)
    diff = tuple(_common(of_field) for of_field in zip(*(o.diff for o in column), strict=True))
    turns = _turns(column)
    order = ["first " + ", then ".join(turns)] if len(turns) > 1 else []
    return replace(
        first, seconds=seconds, diff=diff, needs=(), notes=(*_waits(column), *order, *first.notes)
    )


def _common(of_field: tuple[FieldDiff, ...]) -> FieldDiff:
    """Its place only where that is the same for all."""
    same = len({d.mark for d in of_field}) == 1
    return of_field[0] if same else replace(of_field[0], mark=None)


def _waits(column: Column) -> list[str]:
    """What all of them wait for, beside each other."""
    hosts = {o.host for o in column}
    waits: list[str] = []
    for operation in column:
        for need in told_needs(operation):
            host, _, name = need.partition("/")
            if host == operation.host:
                waits.append(f"{name} on the same host")
            elif host not in hosts:
                waits.append(need)
    return [f"after {', '.join(dict.fromkeys(waits))}"] if waits else []


def _turns(column: Column) -> list[str]:
    """The hosts that change at once, turn by turn."""
    turn: dict[str, int] = {}
    for operation in column:  # each comes after those that it waits for
        hosts = {need.partition("/")[0] for need in operation.needs} - {operation.host}
        turn[operation.host] = 1 + max((turn[h] for h in hosts if h in turn), default=0)
    by_turn: dict[int, list[str]] = {}
    for host, number in turn.items():
        by_turn.setdefault(number, []).append(host)
    shown = [" and ".join(hosts) for _, hosts in sorted(by_turn.items())]
    more = len(shown) - _SHOWN
    return shown if more <= 0 else [*shown[:_SHOWN], f"{more} more turns"]
