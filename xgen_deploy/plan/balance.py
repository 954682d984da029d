"""Who takes what of each GPU of a host, once its plan is carried out. Pure."""

from collections.abc import Collection, Sequence

from xgen_deploy.resolve.memory_shares import share_of
from xgen_deploy.resolve.room import Room, Rooms, standing, staying
from xgen_deploy.state.facts import HostFacts
from xgen_deploy.state.gpu import GPUInfo
from xgen_deploy.state.instance import Instance
from xgen_deploy.state.memory import GPUMemory, Taker
from xgen_deploy.state.record import Record


def balances(
    facts: HostFacts,
    record: Record,
    rooms: Rooms,
    changed: Sequence[Instance],
    leaving: Collection[str],
) -> tuple[GPUMemory, ...]:
    """Of every GPU of the host. `changed` are the instances as they are to be, `leaving` the names
    of those that are removed.
    """
    gone = {*leaving, *(i.name for i in changed)}
    return tuple(_balance(gpu, rooms.of(gpu), record, changed, gone) for gpu in facts.gpu.devices)


def _balance(
    gpu: GPUInfo, room: Room, record: Record, changed: Sequence[Instance], gone: Collection[str]
) -> GPUMemory:
    stays = [
        Taker(instance=name, bytes=size) for name, size in staying(gpu, room, record, gone).items()
    ]
    new = [
        _taker(instance, gpu, room, record)
        for instance in changed
        if any(g.identity == gpu.identity for g in instance.gpus)
    ]
    return GPUMemory(
        gpu=gpu.identity,
        label=gpu.label,
        total=room.total,
        free=room.free,
        reserved=room.reserved,
        others=room.others,
        takers=(*stays, *new),
        of_the_host=room.of_the_host,
        driver=room.driver_assumed if room.driver_measured is None else room.driver_measured,
    )


def _taker(instance: Instance, gpu: GPUInfo, room: Room, record: Record) -> Taker:
    told, before = instance.forecast, standing(gpu, room, record, instance.name)
    if told is not None:
        place = [g.identity for g in instance.gpus].index(gpu.identity)
        need = told.devices[place] if place < len(told.devices) else None
        if need is not None:
            return Taker(
                instance=instance.name,
                bytes=need.total,
                changes=True,
                need=need,
                exact=told.exact and told.placed,
                before=before,
            )
    share = share_of(instance.spec)
    size = int(share * room.total) if share and room.total is not None else None
    return Taker(instance=instance.name, bytes=size, changes=True, before=before)
