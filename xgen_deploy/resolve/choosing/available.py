"""What of a GPU's memory can be given to an instance that is about to be placed. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from xgen_deploy.backends.forecasting import forecast_of
from xgen_deploy.resolve.room import Rooms, standing, staying
from xgen_deploy.state.facts import ModelFacts
from xgen_deploy.state.forecast import Forecast
from xgen_deploy.state.gpu import GPUInfo
from xgen_deploy.state.instance import Instance
from xgen_deploy.state.memory import little_of
from xgen_deploy.state.record import Record


@dataclass(frozen=True)
class Available:
    """To instance `name` of `model`. `before` are the instances of the host that were resolved
    already, `files` what is known of the host's; `leaving` are removed by the plan.
    """

    name: str
    model: str
    rooms: Rooms
    record: Record
    files: Sequence[ModelFacts]
    before: Sequence[Instance]
    leaving: frozenset[str] = frozenset()

    def of(self, gpu: GPUInfo) -> int | None:
        """Bytes that it can take: what is free, what it holds itself, and what has gone before it
        is started, less what those before it and the driver will take, and as much as no warning
        asks for. None where that cannot be known.
        """
        room = self.rooms.of(gpu)
        driver = room.driver
        coming = {
            i.name: told.devices[place].total + driver
            for i in self.before
            if self._changes(i)
            for place, own in enumerate(i.gpus)
            if own.identity == gpu.identity and (told := self._forecast(i)) is not None
        }
        if room.total is None or room.largest is None or room.others is None:
            return None
        gone = {self.name, *coming, *self._going(gpu)}
        stays = staying(gpu, room, self.record, gone)
        taken = room.others + sum(stays.values()) + sum(coming.values())
        return max(0, room.largest - taken - driver - little_of(room.total))

    def after(self, gpu: GPUInfo) -> tuple[str, ...]:
        """The others that hold memory of the GPU now, and have gone before it is started."""
        room = self.rooms.of(gpu)
        return tuple(n for n in self._going(gpu) if standing(gpu, room, self.record, n))

    def _going(self, gpu: GPUInfo) -> Iterator[str]:
        """What is removed, and what changes to other GPUs: see plan/moves.py for the order."""
        yield from sorted(self.leaving)
        if not self._is_awaited:
            for instance in self.before:
                on_others = all(own.identity != gpu.identity for own in instance.gpus)
                if on_others and self._changes(instance):
                    yield instance.name

    @property
    def _is_awaited(self) -> bool:
        """Whether others could wait for it: for what it leaves, or for its model to be served."""
        removed = [self.record.instances.get(name) for name in self.leaving]
        moves = any(last is not None and last.spec.model == self.model for last in removed)
        return moves or self.name in self.record.instances

    def of_host(self) -> int | None:
        """Bytes of its memory that are to be had, as of a GPU."""
        coming = [i for i in self.before if self._changes(i)]
        gone = {self.name, *(i.name for i in coming), *self._going_of_host()}
        free = self.rooms.host.available(frozenset(gone))
        needs = (self._forecast(i) for i in coming)
        taken = sum(told.host.total for told in needs if told is not None)
        return None if free is None else max(0, free - taken)

    def after_on_host(self) -> tuple[str, ...]:
        """As `after`, of the host's memory."""
        return tuple(n for n in self._going_of_host() if self.rooms.host.ours.get(n))

    def _going_of_host(self) -> Iterator[str]:
        """What is removed; one without a GPU waits only for others without one."""
        for name in sorted(self.leaving):
            last = self.record.instances.get(name)
            if last is not None and not last.spec.gpus:
                yield name

    def _changes(self, instance: Instance) -> bool:
        last = self.record.instances.get(instance.name)
        return last is None or last.stopped is not None or last.digest != instance.digest

    def _forecast(self, instance: Instance) -> Forecast | None:
        told = forecast_of(instance, self.files)
        return told if told is not None and len(told.devices) == len(instance.gpus) else None
