"""What a create or an update lacks of memory: refused only by what is certain. Pure.

Neither memory that others hold now nor the driver's own is a reason to refuse: others may go, and
the driver's is an allowance. Both are for the warnings.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from xgen_deploy.backends.forecasting import forecast_of
from xgen_deploy.frozen import replace
from xgen_deploy.plan.memory_text import gib, needs_text
from xgen_deploy.resolve.room import Rooms, standing, staying
from xgen_deploy.state.facts import HostFacts
from xgen_deploy.state.forecast import Need
from xgen_deploy.state.gpu import GPUInfo
from xgen_deploy.state.instance import Instance
from xgen_deploy.state.record import Record

_MIB = 1 << 20
Capacity = Mapping[str, int | None]


@dataclass(frozen=True, kw_only=True)
class Judging:
    """A host's instances that are created or updated, each with its forecast where there is one;
    `leaving` are removed.
    """

    facts: HostFacts
    record: Record
    rooms: Rooms
    changed: Sequence[Instance]
    leaving: Collection[str]
    refuses: bool = True

    @property
    def in_turn(self) -> list[Instance]:
        """What runs already comes first, then the manifest's order."""
        return sorted(self.changed, key=lambda i: not self._runs(i.name))

    def _runs(self, name: str) -> bool:
        last = self.record.instances.get(name)
        return last is not None and last.stopped is None

    def refused_for(self, instance: Instance) -> bool:
        """Whether a lack is a reason to refuse it."""
        return self.refuses and instance.declared.fit == "refuse"

    def runs_so(self, instance: Instance) -> bool:
        """Whether it already runs on what it is forecast to take."""
        last = self.record.instances.get(instance.name)
        if last is None or last.stopped is not None or last.spec.gpus != instance.spec.gpus:
            return False
        before = replace(instance, spec=last.spec)
        return forecast_of(before, self.facts.models) == instance.forecast

    def capacity(self, without: Collection[str]) -> dict[str, int | None]:
        """By GPU what there is for changed instances, where those of `without` stay as they are.
        None where it is not known what is free."""
        gone = {*self.leaving, *(i.name for i in self.changed)} - set(without)
        left: dict[str, int | None] = {}
        for gpu in self.facts.gpu.devices:
            room = self.rooms.of(gpu)
            stays = sum(staying(gpu, room, self.record, gone).values())
            known = room.largest is not None and room.free is not None and not room.may_grow
            left[gpu.identity] = (room.largest or 0) - stays if known else None
        return left

    def before(self, instance: Instance, gpu: GPUInfo) -> int:
        return standing(gpu, self.rooms.of(gpu), self.record, instance.name)


def unfit(judging: Judging) -> dict[str, str]:
    """By name the instances that cannot fit, and why."""
    refused: dict[str, str] = {}
    while True:
        fresh = _next(judging, refused)
        if fresh is None:
            return refused
        refused |= fresh


def _next(judging: Judging, refused: Mapping[str, str]) -> dict[str, str] | None:
    capacity = judging.capacity(refused)
    for instance in judging.in_turn:
        if instance.name in refused:
            continue
        if judging.refused_for(instance):
            reason = shortage(judging, instance, capacity)
            if reason is not None and not judging.runs_so(instance):
                return {instance.name: reason}
        charge(capacity, instance)
    return None


def charge(
    capacity: dict[str, int | None], instance: Instance, drivers: Mapping[str, int] | None = None
) -> None:
    """Takes from it what the instance needs at least, or the whole of its forecast and what
    `drivers` take, by GPU."""
    told = instance.forecast
    if told is None or not (told.placed or drivers):
        return
    for gpu, need in zip(instance.gpus, told.devices, strict=False):
        left = capacity.get(gpu.identity)
        if left is not None:
            least = told.least(need) or 0
            if drivers is not None:
                least = need.total + drivers[gpu.identity]
            capacity[gpu.identity] = left - least


def shortage(judging: Judging, instance: Instance, capacity: Capacity) -> str | None:
    """Why it cannot fit; None where it may. What needs no more than what runs is not judged."""
    told = instance.forecast
    if told is None or not told.certain:
        return None
    if told.fails or told.on_cpu:
        return told.fails or told.on_cpu
    pairs = list(zip(instance.gpus, told.devices, strict=False))
    if pairs and not told.placed:
        return _together(judging, instance, capacity)
    for gpu, need in pairs:
        left, least = capacity.get(gpu.identity), told.least(need) or 0
        if left is not None and least > left and least > judging.before(instance, gpu):
            needs, has = _needs(need, exact=told.exact), _has(judging, gpu, left)
            return f"{needs} of GPU {gpu.label}, which has {has}{_by(least - left)}"
    return _too_much_for_the_host(judging, told.host)


def _together(judging: Judging, instance: Instance, capacity: Capacity) -> str | None:
    """Where it is not known which GPU gets what: all of them."""
    told = instance.forecast
    left = [capacity.get(gpu.identity) for gpu in instance.gpus]
    if told is None or any(size is None for size in left):
        return None
    least = sum(need.weights + need.cache for need in told.devices)
    room = sum(max(0, size or 0) for size in left)
    if least <= max(room, sum(judging.before(instance, gpu) for gpu in instance.gpus)):
        return None
    names = ", ".join(gpu.label for gpu in instance.gpus)
    lack = _by(least - room)
    return (
        f"it needs at least {gib(least)} GiB of GPUs {names}, which have {gib(room)} for it{lack}"
    )


def _by(lack: int) -> str:
    """Where the numbers do not show it."""
    return f": {lack / _MIB:.0f} MiB too little" if lack < 100 * _MIB else ""


def _needs(need: Need, *, exact: bool) -> str:
    if exact:
        return f"it needs {gib(need.total)} GiB ({needs_text(need)})"
    detail = Need(need.weights, need.cache, 0)
    return f"it needs at least {gib(detail.total)} GiB ({needs_text(detail)})"


def _has(judging: Judging, gpu: GPUInfo, left: int) -> str:
    """`22.5 GiB, of which 2.0 are reserved and 12.1 are for qwen72`."""
    room = judging.rooms.of(gpu)
    taken = (room.largest or 0) - left
    parts = [f"{gib(room.reserved)} are reserved"] if room.reserved else []
    parts += [f"{gib(taken)} are for other instances"] if taken else []
    return f"{gib(room.total or 0)} GiB" + (f", of which {' and '.join(parts)}" if parts else "")


def _too_much_for_the_host(judging: Judging, need: Need) -> str | None:
    total = judging.rooms.host.total
    if total is None or need.weights + need.cache <= total:
        return None
    return f"{_needs(need, exact=False)} of the host's memory, which has {gib(total)} GiB"
