"""What an instance of a llama.cpp engine takes on each device and on the host."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache

from xgen_deploy.fit.cache import layer_caches, padding
from xgen_deploy.fit.closed_form import estimated_bytes
from xgen_deploy.fit.placement import HOST, Placement, place
from xgen_deploy.fit.recurrent import state_bytes
from xgen_deploy.fit.replay import decoder, encoder
from xgen_deploy.fit.replay.compute import compute_bytes, runs_ahead
from xgen_deploy.fit.settings import Settings, effective
from xgen_deploy.fit.shape import ModelShape
from xgen_deploy.fit.weights import weight_bytes
from xgen_deploy.state.forecast import Forecast, Need


@lru_cache(maxsize=1024)
def forecast(settings: Settings, model: ModelShape) -> Forecast:
    """Kept: who chooses among GPUs asks for the same again and again. Raises UnknownType where a
    tensor's size is not known, UnknownCache.
    """
    sizes, placement = effective(settings, model), place(settings, model)
    used = _used(settings, model, placement)
    if len(used) < len(settings.devices):
        told = forecast(_on(settings, placement, used), model)
        return _with_unused(told, used, len(settings.devices))
    caches = layer_caches(settings, model, sizes)
    exact = decoder.knows(model) or encoder.knows(model)
    try:
        compute = compute_bytes(settings, model)
    except KeyError:  # a block that lacks what the known ones have
        exact = False
        compute = estimated_bytes(
            settings, model, sizes, placement, caches, ahead=runs_ahead(settings, model)
        )
    kept = kept_bytes(settings, model)
    devices = range(len(settings.devices))
    needs = tuple(Need(*kept[device], compute[device]) for device in devices)
    row = model.vocabulary + (model.width if settings.embeddings else 0)
    outputs = 4 * max(1, settings.slots) * row
    return Forecast(needs, Need(*kept[HOST], compute[-1], outputs), exact)


def _used(settings: Settings, model: ModelShape, placement: Placement) -> list[int]:
    """The devices that change something: those with layers, and the first, which computes for the
    host; all of them where they compute on different batches at a time."""
    devices = range(len(settings.devices))
    if runs_ahead(settings, model) or settings.one_device:
        return list(devices)
    return [d for d in devices if d == 0 or d in placement.slots]


def _on(settings: Settings, placement: Placement, used: Sequence[int]) -> Settings:
    """The same layers on these alone."""
    split = tuple(float(placement.slots.count(d)) for d in used) if len(used) > 1 else ()
    return replace(settings, devices=tuple(settings.devices[d] for d in used), split=split)


def _with_unused(told: Forecast, used: Sequence[int], count: int) -> Forecast:
    needs = dict(zip(used, told.devices, strict=True))
    return replace(told, devices=tuple(needs.get(d, Need(0, 0, 0)) for d in range(count)))


@lru_cache(maxsize=1024)
def kept_bytes(settings: Settings, model: ModelShape) -> Mapping[int | None, tuple[int, int]]:
    """Weights and caches of each device, and of the host under None: quick to tell, and exact.
    Raises UnknownType, UnknownCache.
    """
    sizes, placement = effective(settings, model), place(settings, model)
    caches = layer_caches(settings, model, sizes)
    weights = weight_bytes(settings, model, placement)
    cached = dict.fromkeys(weights, 0)
    for layer, (cache, state) in enumerate(zip(caches, state_bytes(settings, model), strict=True)):
        on = placement.slots[layer] if settings.cache_on_device else HOST
        cached[on] += state
        if cache is not None:
            padded = on is not None and settings.devices[on].backend == "cuda"
            cached[on] += cache.bytes + (padding(settings, cache) if padded else 0)
    return {on: (weights[on], cached[on]) for on in weights}
