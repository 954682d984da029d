"""The shares of instances that are on one GPU, for engines that take a share of it whatever they
need: computed where the manifest states none. Pure.

What was computed before stays, and what runs without stays so: a neighbour changes nothing of it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from xgen_deploy.backends.base import MemoryShare
from xgen_deploy.backends.forecasting import forecast_of
from xgen_deploy.backends.registry import backend_named
from xgen_deploy.frozen import replace
from xgen_deploy.resolve.inputs import HostInputs
from xgen_deploy.resolve.memory_shares import share_of
from xgen_deploy.state.choice import Choice
from xgen_deploy.state.forecast import Forecast
from xgen_deploy.state.gpu import GPUInfo
from xgen_deploy.state.instance import Instance
from xgen_deploy.state.memory import little_of

_STEPS = 1000


def with_shares(
    instances: Sequence[Instance], inputs: HostInputs, planned: Mapping[str, Choice]
) -> list[Instance]:
    """The instances, with a share where they would take the engine's default and are not alone.
    `planned` is what a plan chose that is carried out.
    """
    kept = [_as_before(i, inputs, planned.get(i.name)) for i in instances]
    unset = frozenset(i.name for i in kept if _is_open(i, inputs) and _beside(i, kept))
    if not unset:
        return kept
    near = [i for i in kept if i.name in unset or {b.name for b in _beside(i, kept)} & unset]
    sharing = _Sharing(
        near, inputs, unset, {i.name: forecast_of(i, inputs.facts.models) for i in near}
    )
    return [sharing.given(i) if i.name in unset else i for i in kept]


@dataclass(frozen=True)
class _Sharing:
    instances: Sequence[Instance]
    inputs: HostInputs
    unset: frozenset[str]
    forecasts: Mapping[str, Forecast | None]

    def given(self, instance: Instance) -> Instance:
        """Unchanged where it is not known what is left."""
        shares = [self._share(instance, place) for place in range(len(instance.gpus))]
        known = [share for share in shares if share is not None]
        if len(known) < len(shares) or min(known) <= 0:
            return instance
        share = int(min(known) * _STEPS) / _STEPS
        names = ", ".join(i.name for i in _beside(instance, self.instances))
        request = _request(instance)
        setting = request.setting.rpartition(".")[2] if request else "share"
        note = f"{setting} {share:g}: it shares its GPU with {names}"
        return _taking(replace(instance, notes=(*instance.notes, note)), share)

    def _share(self, instance: Instance, place: int) -> float | None:
        gpu = instance.gpus[place]
        room = self.inputs.rooms.of(gpu)
        members = [i for i in self.instances if _place(i, gpu) is not None]
        least = {i.name: self._least(i, gpu, room.total) for i in members}
        if room.total is None or room.largest is None or None in least.values():
            return None
        needed = sum(size or 0 for size in least.values())
        left = room.largest - (room.others or 0) - needed
        left -= len(members) * room.driver + little_of(room.total)
        growing = [i.name for i in members if i.name in self.unset and self._grows(i)]
        own = left // len(growing) if instance.name in growing else 0
        # Where too little is left it gets what it needs, and the plan says what is lacking.
        return ((least[instance.name] or 0) + max(0, own)) / room.total

    def _least(self, instance: Instance, gpu: GPUInfo, total: int | None) -> int | None:
        """Bytes that it takes of the GPU, with a cache for one request where that can be more."""
        share = share_of(instance.spec)
        if share and total is not None and instance.name not in self.unset:
            return int(share * total)
        told, place = self.forecasts[instance.name], _place(instance, gpu)
        if told is None or not told.certain or place is None or place >= len(told.devices):
            return None
        need = told.devices[place]
        request = _request(instance)
        if told.share is None or request is None or not request.grows:
            return need.total
        return need.weights + told.share.request + need.compute

    def _grows(self, instance: Instance) -> bool:
        told, request = self.forecasts[instance.name], _request(instance)
        return told is not None and told.share is not None and bool(request and request.grows)


def _as_before(instance: Instance, inputs: HostInputs, planned: Choice | None) -> Instance:
    """With the share that was computed for it, while it is on the same GPUs and starts with it."""
    request = _request(instance)
    before = _recorded(instance, inputs, planned)
    if request is None or request.stated or before is None:
        return instance
    last = inputs.record.instances.get(instance.name)
    taking = _taking(instance, before)
    if last is not None and last.digest == taking.digest:
        return taking
    if last is not None and last.spec.gpus != instance.spec.gpus:
        return instance
    told = forecast_of(taking, inputs.facts.models)
    return instance if told is not None and told.fails else taking


def _recorded(instance: Instance, inputs: HostInputs, planned: Choice | None) -> float | None:
    last = inputs.record.instances.get(instance.name)
    applied = last.declared.chosen if last is not None and last.declared is not None else None
    choice = planned or (None if inputs.rebalance else applied)
    return choice.memory_share if choice else None


def _is_open(instance: Instance, inputs: HostInputs) -> bool:
    request, last = _request(instance), inputs.record.instances.get(instance.name)
    runs = last is not None and last.digest == instance.digest and not inputs.rebalance
    return request is not None and not request.stated and not runs


def _request(instance: Instance) -> MemoryShare | None:
    backend = backend_named(instance.spec.backend)
    return backend.memory_share(instance.spec) if backend else None


def _beside(instance: Instance, instances: Sequence[Instance]) -> list[Instance]:
    return [
        i
        for i in instances
        if i.name != instance.name and any(_place(i, gpu) is not None for gpu in instance.gpus)
    ]


def _place(instance: Instance, gpu: GPUInfo) -> int | None:
    """Of the GPU in the instance's list."""
    places: Mapping[str, int] = {g.identity: at for at, g in enumerate(instance.gpus)}
    return places.get(gpu.identity)


def _taking(instance: Instance, share: float) -> Instance:
    backend, chosen = backend_named(instance.spec.backend), instance.declared.chosen or Choice()
    return replace(
        instance,
        spec=backend.with_memory_share(instance.spec, share) if backend else instance.spec,
        declared=replace(instance.declared, chosen=replace(chosen, memory_share=share)),
    )
