"""What would fit in place of an instance that does not: each as the YAML to paste. Pure."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from xgen_deploy.backends.forecasting import Forecasting
from xgen_deploy.fit.layers import Choice
from xgen_deploy.frozen import replace
from xgen_deploy.state.forecast import Forecast
from xgen_deploy.state.gpu import GPUInfo
from xgen_deploy.state.instance import Spec

_MOST = 3
_STEP = 1024
Placed = tuple[GPUInfo, int]


@dataclass(frozen=True)
class WayOut:
    """`takes` are bytes of GPUs that were not its own before."""

    line: str
    takes: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Unfitting:
    """A spec that does not fit: its GPUs with what it may take of each, other GPUs that it could
    have, and its `blocks` on GPUs at most. `host` is the host's whole memory, None: not known;
    `shared`: what the GPUs take is a part of it. `split_stated` False: its `tensor_split` is the
    tool's own. `on_cpu`: what is wrong is where it would attend.
    """

    forecasting: Forecasting
    spec: Spec
    gpus: tuple[Placed, ...]
    elsewhere: tuple[Placed, ...] = ()
    blocks: int | None = None
    host: int | None = None
    shared: bool = False
    split_stated: bool = True
    on_cpu: bool = False


def ways_out(asked: Unfitting) -> tuple[WayOut, ...]:
    """Up to three, what costs nothing first."""
    return tuple(islice(_ways(asked), _MOST))


def _ways(asked: Unfitting) -> Iterator[WayOut]:
    if asked.on_cpu:
        yield from map(WayOut, _attended_caches(asked))
        return
    yield from _other_gpus(asked)
    for way in (_smaller_share, _fewer_layers, _shorter_context, _smaller_cache):
        yield from map(WayOut, way(asked))


def hint_of(ways: Sequence[WayOut], would: str = "fit") -> str:
    if not ways:
        return "Give it a smaller model, or a larger GPU."
    either = f"This would {would}:" if len(ways) == 1 else f"Each of these would {would}:"
    return "\n".join((either, *(f"  {way.line}" for way in ways)))


def _fits(asked: Unfitting, spec: Spec, gpus: Sequence[Placed]) -> bool:
    cards, free = tuple(gpu for gpu, _ in gpus), [free for _, free in gpus]
    if not asked.forecasting.may_fit(spec, cards, free):
        return False
    told = asked.forecasting.of(spec, cards)
    if told is None or not told.placed or told.fails or told.on_cpu:
        return False
    if len(told.devices) != len(gpus):
        return False
    return _host_holds(asked, told) and told.fits(free)


def _host_holds(asked: Unfitting, told: Forecast) -> bool:
    own = sum(need.total for need in told.devices) if asked.shared else 0
    return asked.host is None or own + told.host.weights + told.host.cache <= asked.host


def _most(asked: Unfitting, gpus: Sequence[Placed], spec: Spec | None = None) -> Choice | None:
    cards, free = tuple(gpu for gpu, _ in gpus), [free for _, free in gpus]
    return asked.forecasting.most_layers(spec or asked.spec, cards, free)


def _other_gpus(asked: Unfitting) -> Iterator[WayOut]:
    """Another one that has room, else two or more together."""
    if len(asked.gpus) != 1:
        return
    for placed in asked.elsewhere:
        spec = _on(asked.spec, (placed,))
        if _fits(asked, spec, (placed,)):
            told = asked.forecasting.of(spec, (placed[0],))
            yield WayOut(f"gpus: [{_ref(placed)}]", _taken(asked, (placed,), told))
            return
    if asked.spec.n_gpu_layers != "all" or asked.blocks is None:
        return
    for count in range(1, len(asked.elsewhere) + 1):
        several = (*asked.gpus, *asked.elsewhere[:count])
        choice = _most(asked, several, _on(asked.spec, several))
        if choice is not None and choice.layers >= asked.blocks:
            refs = ", ".join(map(_ref, several))
            line = f"gpus: [{refs}], llama: {{tensor_split: {_split(choice)}}}"
            yield WayOut(line, _taken(asked, several, choice.forecast))
            return


def _taken(asked: Unfitting, gpus: Sequence[Placed], told: Forecast | None) -> Mapping[str, int]:
    own = {gpu.identity for gpu, _ in asked.gpus}
    needs = zip(gpus, told.devices if told is not None else (), strict=False)
    return {gpu.identity: need.total for (gpu, _), need in needs if gpu.identity not in own}


def _smaller_share(asked: Unfitting) -> Iterator[str]:
    """Of an engine that takes a share of its GPUs, whatever the model needs."""
    backend = asked.forecasting.backend
    share = backend.memory_share(asked.spec)
    if share is None or not asked.gpus or any(not gpu.given_mb for gpu, _ in asked.gpus):
        return
    rooms = (free / ((gpu.given_mb or 0) << 20) for gpu, free in asked.gpus)
    section, _, name = share.setting.partition(".")
    smaller = int(min(rooms) * 100) / 100
    if smaller > 0 and _fits(asked, backend.with_memory_share(asked.spec, smaller), asked.gpus):
        yield f"{section}: {{{name}: {smaller:g}}}"


def _fewer_layers(asked: Unfitting) -> Iterator[str]:
    """Of a mixture of experts rather some experts on the host: that costs less speed."""
    if not asked.gpus or asked.spec.n_gpu_layers in (None, 0):
        return
    experts = _host_experts(asked)
    if experts is not None:
        yield f"llama: {{n_cpu_moe: {experts}}}"
    choice = _most(asked, asked.gpus, asked.spec if asked.split_stated else _unsplit(asked.spec))
    if choice is None or not choice.layers or not choice.forecast.placed:
        return
    if not _host_holds(asked, choice.forecast):
        return
    several = len(asked.gpus) > 1 and not asked.split_stated and choice.split
    lines = [f"n_gpu_layers: {choice.layers}"] if choice.layers != asked.blocks else []
    lines += [f"llama: {{tensor_split: {_split(choice)}}}"] if several else []
    if lines:
        yield ", ".join(lines)


def _host_experts(asked: Unfitting) -> int | None:
    llama, header = asked.spec.llama, asked.forecasting.model.gguf
    shape = header.shape if header else None
    if shape is None or not shape.keys.get("expert_count") or asked.blocks is None:
        return None
    if llama.n_cpu_moe is not None or llama.override_tensors:
        return None

    def fits(count: int) -> bool:
        spec = replace(asked.spec, llama=replace(llama, n_cpu_moe=count))
        return _fits(asked, spec, asked.gpus)

    most = asked.blocks - 1
    return _least(fits, 1, most) if fits(most) else None


def _shorter_context(asked: Unfitting) -> Iterator[str]:
    def fits(steps: int) -> bool:
        return _fits(asked, replace(asked.spec, n_ctx=steps * _STEP), asked.gpus)

    most = (asked.spec.n_ctx - 1) // _STEP
    if most < 1 or not fits(1):
        return
    over = _least(lambda steps: not fits(steps), 2, most + 1)
    yield f"n_ctx: {(over - 1) * _STEP}"


def _smaller_cache(asked: Unfitting) -> Iterator[str]:
    llama, backend = asked.spec.llama, asked.forecasting.backend
    small = backend.small_cache
    if not backend.offloads_layers or small is None:
        return
    kinds = {llama.cache_type_k, llama.cache_type_v}
    software = any(gpu.software for gpu, _ in asked.gpus)
    if not kinds <= {None, "f16", "bf16", "f32"} or llama.flash_attn == "off" or software:
        return
    if _fits(asked, backend.with_settings(asked.spec, small.settings), asked.gpus):
        stated = ", ".join(f"{name}: {kind}" for name, kind in small.settings.items())
        yield f"{backend.settings}: {{{stated}}}"


def _attended_caches(asked: Unfitting) -> Iterator[str]:
    """Types for which every GPU's flash attention has a kernel, the nearest in size first."""
    for kind in ("q4_0", "q8_0", "f16"):
        llama = replace(asked.spec.llama, cache_type_k=kind, cache_type_v=kind)
        if _fits(asked, replace(asked.spec, llama=llama), asked.gpus):
            yield f"llama: {{cache_type_k: {kind}, cache_type_v: {kind}}}"


def _least(holds: Callable[[int], bool], low: int, high: int) -> int:
    """The first from `low` on for which it holds; it is taken to hold for `high`."""
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle + 1, high)
    return low


def _unsplit(spec: Spec) -> Spec:
    return replace(spec, llama=replace(spec.llama, tensor_split=None))


def _on(spec: Spec, gpus: Sequence[Placed]) -> Spec:
    return replace(spec, gpus=tuple(gpu.identity for gpu, _ in gpus))


def _ref(placed: Placed) -> str:
    return placed[0].label


def _split(choice: Choice) -> str:
    return f"[{', '.join(f'{share:g}' for share in choice.split)}]"
