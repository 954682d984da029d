"""What a plan warns of about memory: who holds what it needs now, and too little left. Pure."""

from collections.abc import Collection, Iterator, Sequence

from xgen_deploy.backends.registry import backend_named
from xgen_deploy.plan.memory_text import gib
from xgen_deploy.plan.unfit import Judging, charge, shortage
from xgen_deploy.resolve.room import Holder, Room
from xgen_deploy.sizes import size_text
from xgen_deploy.state.instance import Instance
from xgen_deploy.state.memory import GPUMemory


def memory_warnings(
    judging: Judging,
    memory: Sequence[GPUMemory],
    refused: Collection[str],
) -> Iterator[str]:
    """Of the changed instances that are not refused."""
    fitting = [i for i in judging.in_turn if i.name not in refused]
    capacity = judging.capacity(refused)
    warned = set()
    for instance in fitting:
        reason = shortage(judging, instance, capacity)
        if reason is not None:
            warned.add(instance.name)
            yield f"{instance.name}: {reason}; it is tried all the same"
        charge(capacity, instance)
    judged = [i for i in fitting if i.declared.fit != "off" and i.name not in warned]
    for each in memory:
        known = {t.instance for t in each.takers if t.changes and t.bytes is not None}
        new = [i for i in judged if i.name in known]
        if new and each.others is not None:
            yield from _of_gpu(each, judging.rooms.devices[each.gpu], new)
    yield from _of_host(judging, judged)


def _of_gpu(memory: GPUMemory, room: Room, new: Sequence[Instance]) -> Iterator[str]:
    names, starts = [i.name for i in new], len([t for t in memory.takers if t.changes])
    driver, measured = room.driver * starts, room.driver_measured is not None
    left, others = (memory.left or 0) - driver, memory.others or 0
    gpu, who = f"GPU {memory.label}", " and ".join(names)
    origin = ", as it was measured" if measured else ""
    beside = f", with about {size_text(driver)} for the driver{origin}" if driver else ""
    if left < 0 and others and left + others >= 0:
        held = _held(room.foreign) or "something that is not known"
        fails = "fails" if (memory.left or 0) < 0 else "may fail"
        yield (
            f"{gpu} is {size_text(-left)} short of what {who} will take{beside}, while {held} "
            f"{'hold' if len(room.foreign) > 1 else 'holds'} {size_text(others)}: the start "
            f"{fails} unless that goes first{_or_a_share(memory, new, left)}"
        )
    elif left < 0:
        yield f"{gpu} is about {size_text(-left)} short of what {who} will take{beside}"
    elif (memory.left or 0) < memory.little:
        runs = "runs" if len(names) == 1 else "run"
        yield (
            f"{gpu} has {(memory.left or 0) >> 20} MiB left once {who} {runs}: under "
            f"{memory.little >> 20} MiB a start may fail, or a long request"
        )


def _or_a_share(memory: GPUMemory, new: Sequence[Instance], left: int) -> str:
    """Of an engine that takes a share of its GPUs, with which it would start at once."""
    backend = backend_named(new[0].spec.backend) if len(new) == 1 else None
    request = backend.memory_share(new[0].spec) if backend is not None else None
    if request is None or not memory.total:
        return ""
    share = int((request.share + left / memory.total) * 100) / 100
    setting = request.setting.rpartition(".")[2]
    return f", or `{setting}` is {share:g} at most" if share > 0 else ""


def _held(foreign: Sequence[Holder]) -> str:
    """The largest first."""
    ordered = sorted(foreign, key=lambda h: -(h.bytes or 0))
    return ", ".join(
        f"{h.name or 'a process'} (pid {h.pid}{f', user {h.user}' if h.user else ''})"
        for h in ordered[:3]
    )


def _of_host(judging: Judging, instances: Sequence[Instance]) -> Iterator[str]:
    """Weights that are mapped from a file are read again and again where they do not fit."""
    free = judging.rooms.host.free
    needs = [(i, i.forecast.host.total) for i in instances if i.forecast is not None]
    if free is None or not needs:
        return
    gone = {*judging.leaving, *(i.name for i, _ in needs)}
    freed = sum(judging.rooms.host.ours.get(name, 0) for name in gone)
    needed = sum(size for _, size in needs)
    if needed > free + freed:
        names = " and ".join(i.name for i, size in needs if size)
        yield (
            f"{names}: {gib(needed)} GiB of the host's memory are needed, and {gib(free + freed)} "
            "are available: weights that do not stay there are read from the disk for every token"
        )
