"""What of a GPU's memory can be given to an instance that is about to be placed. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from xgen_deploy.backends.registry import backend_named
from xgen_deploy.resolve.room import Rooms, staying
from xgen_deploy.state.facts import ModelFacts
from xgen_deploy.state.forecast import Forecast
from xgen_deploy.state.gpu import GPUInfo
from xgen_deploy.state.instance import Instance
from xgen_deploy.state.memory import little_of
from xgen_deploy.state.record import Record


@dataclass(frozen=True)
class Available:
    """`before` are the instances of the host that were resolved already, `models` the host's."""

    rooms: Rooms
    record: Record
    models: Mapping[str, ModelFacts]
    before: Sequence[Instance]

    def of(self, gpu: GPUInfo, name: str) -> int | None:
        """Bytes that instance `name` can take: what is free, what it holds itself, less what those
        before it and the driver will take, and as much as no warning asks for. None where that
        cannot be known.
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
        stays = staying(gpu, room, self.record, {name, *coming})
        taken = room.others + sum(stays.values()) + sum(coming.values())
        return max(0, room.largest - taken - driver - little_of(room.total))

    def of_host(self) -> int | None:
        """Bytes of its memory that are to be had."""
        return self.rooms.host.available()

    def _changes(self, instance: Instance) -> bool:
        last = self.record.instances.get(instance.name)
        return last is None or last.stopped is not None or last.digest != instance.digest

    def _forecast(self, instance: Instance) -> Forecast | None:
        spec, backend = instance.spec, backend_named(instance.spec.backend)
        model = next((m for m in self.models.values() if m.path == spec.model_path), None)
        if backend is None or model is None:
            return None
        told = backend.forecast(spec, model, instance.gpus, instance.engine)
        return told if told is not None and len(told.devices) == len(instance.gpus) else None
