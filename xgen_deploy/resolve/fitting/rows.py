"""How a model fits on GPUs with each context and each type of cache. Pure."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from xgen_deploy.backends.base import Backend
from xgen_deploy.backends.forecasting import Forecasting
from xgen_deploy.frozen import replace
from xgen_deploy.state.facts import ModelFacts
from xgen_deploy.state.forecast import Forecast
from xgen_deploy.state.gpu import GPUInfo
from xgen_deploy.state.instance import Engine, Spec

SHORTEST = 4096
_MOST_AT_ONCE = 64


class NotKnown(Exception):
    """What the model takes cannot be forecast; the text says with what."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """A build on GPUs. `free` can be given to it in bytes, on each GPU, or without any of the
    host's memory; `whole` is what an engine may have that takes a share of its GPUs.
    `files` are what is known of the host's."""

    backend: Backend
    engine: Engine
    gpus: tuple[GPUInfo, ...]
    free: tuple[int, ...]
    whole: tuple[int, ...]
    files: tuple[ModelFacts, ...] = ()

    def forecasting(self, model: ModelFacts) -> Forecasting:
        return Forecasting(self.backend, self.engine, model, self.files)


@dataclass(frozen=True, kw_only=True)
class Row:
    """`spec` is what would be started; `forecast` None: it does not fit. `layers` of `total` are on
    GPUs, None where the engine has them all there. `at_once` are requests of the whole context.
    `made` is the type that the file would be quantized to first."""

    model: ModelFacts
    spec: Spec
    cache: str
    forecast: Forecast | None
    layers: int | None = None
    total: int | None = None
    at_once: float = 0
    made: str | None = None

    @property
    def is_whole(self) -> bool:
        return self.forecast is not None and self.layers == self.total


def rows(spec: Spec, model: ModelFacts, place: Place) -> Iterator[Row]:
    """Contexts from 4096 to the trained one, each twice as long, for as many slots as the spec has
    or more. Raises NotKnown."""
    if place.forecasting(model).of(spec, place.gpus) is None:
        raise NotKnown(f"what this model takes with {place.backend.name} cannot be forecast")
    caches = [(place.backend.usual_cache, spec)]
    small = place.backend.small_cache
    if small is not None and spec.type == "llm":  # most others have none
        caches.append((small.name, place.backend.with_settings(spec, small.settings)))
    for n_ctx in _contexts(place.backend.context_limit(model) or SHORTEST):
        for cache, cached in caches:
            own = replace(cached, n_ctx=n_ctx)
            if place.gpus and place.backend.offloads_layers:
                yield _offloaded(own, model, place, cache)
            else:
                yield _as_it_is(own, model, place, cache)


def _contexts(longest: int) -> Iterator[int]:
    n_ctx = SHORTEST
    while n_ctx < longest:
        yield n_ctx
        n_ctx *= 2
    yield longest


def _offloaded(spec: Spec, model: ModelFacts, place: Place, cache: str) -> Row:
    """With as many layers on the GPUs as fit."""
    known = model.gguf.layers if model.gguf is not None else None
    total = known + 1 if known is not None else None
    most = place.forecasting(model).most_layers(spec, place.gpus, place.free)
    row = Row(model=model, spec=spec, cache=cache, forecast=None, layers=0, total=total)
    if most is None:
        return row
    whole = most.layers == total
    split = replace(spec.llama, tensor_split=most.split) if most.split else spec.llama
    own = replace(spec, n_gpu_layers="all" if whole else most.layers, llama=split)
    slots = spec.llama.parallel or 1
    if whole and spec.type == "llm":
        slots = _last(slots, lambda n: _slots_fit(own, model, place, n))
    return replace(row, spec=own, forecast=most.forecast, layers=most.layers, at_once=slots)


def _slots_fit(spec: Spec, model: ModelFacts, place: Place, slots: int) -> bool:
    """Each with a whole context."""
    own = replace(spec, llama=replace(spec.llama, parallel=slots))
    told = place.forecasting(model).of(own, place.gpus)
    return told is not None and told.fits(place.free)


def _last(low: int, fits: Callable[[int], bool]) -> int:
    """The most that fit; so many do."""
    high = 2 * low
    while high <= _MOST_AT_ONCE and fits(high):
        low, high = high, high * 2
    high = min(high, max(low, _MOST_AT_ONCE) + 1)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low


def _as_it_is(spec: Spec, model: ModelFacts, place: Place, cache: str) -> Row:
    """Of an engine that has the whole model where it is told to."""
    told = place.forecasting(model).of(spec, place.gpus)
    row = Row(model=model, spec=spec, cache=cache, forecast=None)
    if told is None or told.fails is not None:
        return row
    needs = told.devices if place.gpus else (told.host,)
    limits = place.whole if told.share is not None else place.free
    if any(need.total > limit for need, limit in zip(needs, limits, strict=True)):
        return row
    at_once = told.share.concurrency if told.share is not None else 1
    return replace(row, forecast=told, at_once=at_once) if at_once >= 1 else row
