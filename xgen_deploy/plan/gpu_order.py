"""Which of the instances that share a GPU is changed first. Pure."""

from xgen_deploy.frozen import replace
from xgen_deploy.resolve.choosing.choose import is_left_open
from xgen_deploy.state.plan import Kind, Operation


def in_gpu_order(operations: list[Operation]) -> tuple[Operation, ...]:
    """Each after those that it shares a GPU with and that go before it. What waits for a removal,
    and what a removal waits for, is decided over all hosts (see moves.py)."""
    by_name = {o.name: o for o in operations}
    turns = {o.name: turn for turn, o in enumerate(_in_turn(operations))}
    first: dict[str, set[str]] = {name: set() for name in by_name}
    for operation in operations:
        for name in operation.instance.share if operation.instance else ():
            if name in by_name:
                before, after = sorted((name, operation.name), key=turns.__getitem__)
                first[after].add(before)
    done: dict[str, Operation] = {}

    def add(operation: Operation) -> None:
        if operation.name in done:
            return
        others = sorted(first[operation.name], key=turns.__getitem__)
        for name in others:
            add(by_name[name])
        needs = tuple(by_name[name].id for name in others)
        done[operation.name] = replace(operation, needs=needs)

    for operation in operations:
        add(operation)
    return tuple(done.values())


def _in_turn(operations: list[Operation]) -> list[Operation]:
    """In manifest order; but a choice counts what others free, so where one was made, what is there
    changes before what comes new, and what was chosen after what was stated."""
    chosen = {o.name for o in operations if o.instance and is_left_open(o.instance.declared)}
    if not chosen:
        return operations
    created = {o.name for o in operations if o.kind is Kind.CREATE}
    return sorted(operations, key=lambda o: (o.name in created, o.name in chosen - created))
