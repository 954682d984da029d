"""What is left of each GPU to an instance that was refused. Pure.

What is pasted for one has to hold whether or not something is pasted for the others that are
refused: so what there is for several on a GPU is theirs in proportion to what they need there.
"""

from collections.abc import Collection

from xgen_deploy.plan.unfit import Judging, charge
from xgen_deploy.state.gpu import GPUInfo
from xgen_deploy.state.instance import Instance
from xgen_deploy.state.memory import little_of


def left_for(judging: Judging, instance: Instance, refused: Collection[str]) -> dict[str, int]:
    """By GPU what it may take beside all others, beside what is held now, and so that enough is
    left to be at ease. Nothing of another GPU on which others are refused."""
    alone = _room(judging, set(refused) - {instance.name}, refused)
    jointly = _room(judging, (), refused)
    own = {gpu.identity for gpu in instance.gpus}
    left = {}
    for gpu in judging.facts.gpu.devices:
        sharing = [i for i in judging.changed if i.name in refused and needed(i, gpu)]
        at_ease = _kept(judging, gpu)
        left[gpu.identity] = max(0, alone[gpu.identity] - at_ease - judging.rooms.of(gpu).driver)
        if gpu.identity not in own:
            left[gpu.identity] *= not sharing
        elif len(sharing) > 1:
            drivers = len(sharing) * judging.rooms.of(gpu).driver
            pool = max(0, jointly[gpu.identity] - at_ease - drivers)
            share = pool * needed(instance, gpu) // sum(needed(i, gpu) for i in sharing)
            left[gpu.identity] = min(left[gpu.identity], share)
    return left


def needed(instance: Instance, gpu: GPUInfo) -> int:
    """What it was forecast to take of that GPU."""
    told = instance.forecast
    pairs = zip(instance.gpus, told.devices if told is not None else (), strict=False)
    return sum(need.total for own, need in pairs if own.identity == gpu.identity)


def _room(judging: Judging, stay: Collection[str], refused: Collection[str]) -> dict[str, int]:
    """Beside those that fit, and beside what of `stay` is there already."""
    capacity = judging.capacity(stay)
    drivers = {g.identity: judging.rooms.of(g).driver for g in judging.facts.gpu.devices}
    for other in judging.changed:
        if other.name not in refused:
            charge(capacity, other, drivers)
    return {gpu: size or 0 for gpu, size in capacity.items()}


def _kept(judging: Judging, gpu: GPUInfo) -> int:
    room = judging.rooms.of(gpu)
    return (room.others or 0) + little_of(room.total or 0)
