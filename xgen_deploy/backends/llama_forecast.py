"""What llama.cpp's servers will take of memory, by an instance's settings and a model's header."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from xgen_deploy.backends.llama_builds import NEWEST, Build
from xgen_deploy.backends.llama_shape import NoForecast, sound_shape
from xgen_deploy.backends.llama_traps import attends_on_the_cpu, no_start
from xgen_deploy.fit.cache import UnknownCache
from xgen_deploy.fit.forecast import forecast, kept_bytes
from xgen_deploy.fit.layers import Choice, host_experts, most_layers
from xgen_deploy.fit.replay.compute import has_flash
from xgen_deploy.fit.settings import ALL, Device, Settings
from xgen_deploy.fit.shape import ModelShape, UnknownType
from xgen_deploy.frozen import replace
from xgen_deploy.state.extra_args import options as options_in
from xgen_deploy.state.facts import GGUFFacts
from xgen_deploy.state.forecast import Forecast
from xgen_deploy.state.gpu import GPUInfo
from xgen_deploy.state.instance import Spec

PROJECTOR = "the projector is not counted"
DRAFT = "the draft model is not counted"
ADAPTERS = "adapters are not counted"
_BATCH, _UBATCH, _SLOTS = 2048, 512, 4
# What an odd header makes of the arithmetic.
ODD = (UnknownType, UnknownCache, ArithmeticError, LookupError, ValueError)
# Options that change nothing of what is allocated.
_HARMLESS_OPTIONS = (
    "--jinja --no-jinja --metrics --slots --no-slots --props --threads -t --threads-batch -tb "
    "--threads-http --timeout -to --seed -s --verbose -v --verbosity -lv --log-verbosity "
    "--log-colors --log-timestamps --log-prefix --prio --poll --temp --min-p --warmup --no-warmup "
    "--no-webui --no-ui --webui --api-prefix --chat-template-kwargs --reasoning --reasoning-format "
    "--reasoning-budget --sleep-idle-seconds --slot-prompt-similarity -sps"
)
_HARMLESS = frozenset(_HARMLESS_OPTIONS.split())
_SOFTWARE_TENSOR = 128 << 20  # the largest that Mesa's software Vulkan device takes


@dataclass(frozen=True)
class Start:
    """How a build is started: `device` is how its backend allocates, cuda or vulkan; `batches` are
    the logical and the physical one that it is told, `own` those where it is told none. A `bare`
    one leaves the library's defaults: a sliding window's cache is as long as any, and each batch
    has room for all its outputs. `sequences` of an embedding model are computed at once.
    """

    device: str
    flash: bool
    batches: tuple[int | None, int | None]
    own: tuple[int, int] = (_BATCH, _UBATCH)
    bare: bool = False
    sequences: int | None = None
    build: Build = NEWEST


def llama_forecast(
    spec: Spec, model: GGUFFacts | None, gpus: tuple[GPUInfo, ...], start: Start
) -> Forecast | None:
    """None where the header tells too little."""
    shape = _sound_shape(model)
    if shape is None:
        return None
    try:
        settings = _settings(spec, gpus, start, shape)
        told = forecast(settings, shape)
    except ODD:
        return None
    fails, kind = no_start(settings, shape), settings.key_type
    ways = (f"llama: {{cache_type_k: {kind}, cache_type_v: {kind}}}",) if fails else ()
    on_cpu = attends_on_the_cpu(settings, forced=spec.llama.flash_attn == "on")
    return replace(_with_notes(told, spec, gpus), fails=fails, ways_out=ways, on_cpu=on_cpu)


def llama_least(
    spec: Spec, model: GGUFFacts | None, gpus: tuple[GPUInfo, ...], start: Start
) -> Sequence[int] | None:
    """As `Backend.least_of`: the weights and the caches."""
    shape = _sound_shape(model)
    if shape is None:
        return None
    try:
        kept = kept_bytes(_settings(spec, gpus, start, shape), shape)
    except ODD:
        return None
    return [sum(kept[device]) for device in range(len(gpus))]


def llama_most_layers(
    spec: Spec,
    model: GGUFFacts | None,
    gpus: tuple[GPUInfo, ...],
    start: Start,
    free: Sequence[int],
) -> Choice | None:
    """As `Backend.most_layers`."""
    shape = _sound_shape(model)
    if shape is None or not gpus:
        return None
    settings = _settings(spec, gpus, start, shape)
    if not spec.llama.tensor_split:
        settings = replace(settings, split=())
    try:
        choice = most_layers(settings, shape, free)
    except ODD:
        return None
    if choice is None:
        return None
    split = replace(spec.llama, tensor_split=choice.split) if choice.split else spec.llama
    told = _with_notes(choice.forecast, replace(spec, llama=split), gpus)
    return replace(choice, forecast=told)


class _Same:
    """Facts are read once and told apart by identity: their equality would be the dearest here."""

    def __init__(self, model: GGUFFacts):
        self.model = model

    def __hash__(self) -> int:
        return id(self.model)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.model is self.model


def _sound_shape(model: GGUFFacts | None) -> ModelShape | None:
    """None where the header tells too little, or what no model has."""
    return None if model is None else _shape_of(_Same(model))


@lru_cache(maxsize=128)
def _shape_of(same: _Same) -> ModelShape | None:
    try:
        return sound_shape(same.model)
    except (NoForecast, *ODD):
        return None


def _with_notes(told: Forecast, spec: Spec, gpus: tuple[GPUInfo, ...]) -> Forecast:
    notes = tuple(_uncounted(spec, gpus))
    mode, options = spec.llama.split_mode, set(options_in(spec.llama.extra_args or ()))
    return replace(
        told,
        exact=told.exact and not notes,
        notes=notes,
        certain=told.certain and options <= _HARMLESS and mode != "tensor",
        placed=mode != "row" and not _follows_free_memory(spec, gpus),
    )


def _follows_free_memory(spec: Spec, gpus: tuple[GPUInfo, ...]) -> bool:
    stated = spec.llama.tensor_split or spec.llama.split_mode == "none"
    return len(gpus) > 1 and not stated


def _settings(spec: Spec, gpus: tuple[GPUInfo, ...], start: Start, model: ModelShape) -> Settings:
    llama, layers = spec.llama, spec.n_gpu_layers
    batch, ubatch = (told or own for told, own in zip(start.batches, start.own, strict=True))
    slots = start.sequences or llama.parallel or (1 if start.bare else _SLOTS)
    settings = Settings(
        context=spec.n_ctx * (llama.parallel or 1),
        batch=batch,
        ubatch=ubatch,
        slots=slots,
        unified=llama.parallel is None or start.sequences is not None,
        outputs=0 if start.bare else None,
        full_window=start.bare,
        key_type=llama.cache_type_k or "f16",
        value_type=llama.cache_type_v or "f16",
        flash=start.flash,
        layers=ALL if layers in (None, "all") else int(layers),
        split=_split(spec, gpus),
        one_device=llama.split_mode == "none",
        main_device=llama.main_gpu or 0,
        embeddings=spec.type != "llm",
        overrides=tuple(_overrides(spec)),
        mixes_inputs=start.build.mixes_inputs,
        sums_experts=start.build.sums_experts,
        mixes_cache_types=start.build.mixes_cache_types,
        caches_predictions=start.build.caches_predictions,
        moves_sinks=start.build.moves_sinks,
        devices=tuple(_device(gpu, start.device) for gpu in gpus),
    )
    if start.flash and llama.flash_attn != "on":
        return replace(settings, flash=has_flash(settings, model))
    return settings


def _device(gpu: GPUInfo, backend: str) -> Device:
    return Device(
        name=gpu.identity, backend=backend, largest=_SOFTWARE_TENSOR if gpu.software else None
    )


def _split(spec: Spec, gpus: tuple[GPUInfo, ...]) -> tuple[float, ...]:
    """As stated; else the engine goes by the memory that is free when it starts."""
    if spec.llama.tensor_split:
        return tuple(float(share) for share in spec.llama.tensor_split)
    free = [float(g.memory_free_mb or g.memory_total_mb or 0) for g in gpus]
    return tuple(free) if len(gpus) > 1 and all(free) else ()


def _overrides(spec: Spec) -> Iterator[str]:
    experts = spec.llama.n_cpu_moe
    if experts == "all":
        yield r"\.ffn_(up|down|gate|gate_up)_(ch|)exps"
    elif experts:
        yield host_experts(experts)
    for pattern, place in (spec.llama.override_tensors or {}).items():
        if place == "CPU":
            yield pattern


def _uncounted(spec: Spec, gpus: tuple[GPUInfo, ...]) -> Iterator[str]:
    if spec.mmproj is not None:
        yield PROJECTOR
    if spec.draft is not None:
        yield DRAFT
    if spec.loras:
        yield ADAPTERS
    if set(options_in(spec.llama.extra_args or ())) - _HARMLESS:
        yield "`extra_args` are not looked at"
    if spec.llama.split_mode in ("row", "tensor"):
        yield f"split_mode: {spec.llama.split_mode} is not known"
    if _follows_free_memory(spec, gpus):
        yield "the split follows the memory that is free at the start: no `tensor_split` is stated"
