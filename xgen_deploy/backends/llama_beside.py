"""What is loaded beside a model, counted in its forecast: a projector, a draft model, adapters."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from xgen_deploy.backends.llama_forecast import ADAPTERS, DRAFT, PROJECTOR
from xgen_deploy.frozen import replace
from xgen_deploy.state.facts import ModelFacts
from xgen_deploy.state.forecast import Forecast, Need
from xgen_deploy.state.instance import Spec

_NOTES = {
    PROJECTOR: "what the projector computes with is not counted",
    DRAFT: "the draft model's buffers are an estimate",
    ADAPTERS: "what the adapters compute with is not counted",
}


@dataclass(frozen=True)
class _Added:
    """Bytes, of each device in order, and of the host."""

    devices: tuple[Need, ...]
    host: Need


def with_beside(
    told: Forecast,
    spec: Spec,
    files: Sequence[ModelFacts],
    of_draft: Callable[[Spec, ModelFacts], Forecast | None],
) -> Forecast:
    """What is not known of the `files` stays a note that it is not counted."""
    if not spec.loads_more:
        return told
    by_path = {f.path: f for f in files if f.path is not None}
    added = dict(_added(told, spec, by_path, of_draft))
    devices, host = told.devices, told.host
    for each in added.values():
        devices = tuple(map(_sum, devices, each.devices))
        host = _sum(host, each.host)
    notes = tuple(_NOTES[note] if note in added else note for note in told.notes)
    return replace(told, devices=devices, host=host, notes=notes)


def _added(
    told: Forecast,
    spec: Spec,
    files: dict[str, ModelFacts],
    of_draft: Callable[[Spec, ModelFacts], Forecast | None],
) -> Iterator[tuple[str, _Added]]:
    if spec.mmproj is not None and (size := _size(files, spec.mmproj.path)):
        first = [size, *(0 for _ in told.devices[1:])] if told.devices else []
        yield PROJECTOR, _weights(first, 0 if told.devices else size)
    if spec.draft is not None and (file := files.get(spec.draft.path)):
        draft = of_draft(_alone(spec), file)
        if draft is not None and len(draft.devices) == len(told.devices):
            yield DRAFT, _Added(draft.devices, draft.host)
    sizes = [_size(files, lora.path) for lora in spec.loras.values()]
    if sizes and all(sizes):
        yield ADAPTERS, _beside_the_layers(told, sum(sizes))


def _alone(spec: Spec) -> Spec:
    """The draft model as it is loaded: the model's own caches and places of tensors are not its."""
    layers = spec.draft.n_gpu_layers if spec.draft else None
    llama = replace(
        spec.llama,
        cache_type_k=None,
        cache_type_v=None,
        n_cpu_moe=None,
        override_tensors=None,
        extra_args=None,
    )
    return replace(spec, n_gpu_layers=layers or 0, draft=None, mmproj=None, loras={}, llama=llama)


def _beside_the_layers(told: Forecast, size: int) -> _Added:
    """Each part lies where its layer does."""
    weights = [need.weights for need in told.devices]
    whole = sum(weights) + told.host.weights or 1
    parts = [size * weight // whole for weight in weights]
    return _weights(parts, size - sum(parts))


def _size(files: dict[str, ModelFacts], path: str) -> int:
    """Bytes of a file, which are its weights but for a short header; 0 where that is not known."""
    found = files.get(path)
    return found.size or 0 if found is not None and found.error is None else 0


def _weights(devices: Sequence[int], host: int) -> _Added:
    return _Added(tuple(Need(size, 0, 0) for size in devices), Need(host, 0, 0))


def _sum(need: Need, more: Need) -> Need:
    return Need(
        need.weights + more.weights,
        need.cache + more.cache,
        need.compute + more.compute,
        need.output + more.output,
    )
