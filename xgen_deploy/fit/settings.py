"""How an engine of llama.cpp is started, and what it makes of that."""

import re
from dataclasses import dataclass, field

from xgen_deploy.fit.shape import ModelShape

_CELLS = 256
ALL = -1


@dataclass(frozen=True, kw_only=True)
class Device:
    """A GPU as its backend allocates on it. `largest` is the largest single tensor in bytes, None
    without a limit."""

    name: str = field(compare=False)
    backend: str = "cuda"
    largest: int | None = None


@dataclass(frozen=True, kw_only=True)
class Settings:
    """As on the command line. `layers` ALL: every one. `split` has a share for each device.
    `outputs` reserved in each batch, 0: of the whole batch. `overrides` are patterns of tensors
    that stay on the host. `simulated`: as the engine's own forecast does it, which leaves out where
    a real start pins an operation. Builds differ: `mixes_inputs` tokens and embeddings in one
    batch, `sums_experts` on CUDA in one step, `mixes_cache_types` in CUDA's flash attention,
    `caches_predictions` of the blocks that predict further tokens, `moves_sinks`: attention that
    has sinks goes to a device although its cache is on the host.
    """

    context: int = 0
    batch: int = 2048
    ubatch: int = 512
    slots: int = 1
    unified: bool = False
    key_type: str = "f16"
    value_type: str = "f16"
    flash: bool = True
    layers: int = ALL
    split: tuple[float, ...] = ()
    main_device: int = 0
    one_device: bool = False
    cache_on_device: bool = True
    copies_operations: bool = True
    embeddings: bool = False
    outputs: int | None = None
    overrides: tuple[str, ...] = ()
    full_window: bool = False
    mixes_inputs: bool = False
    sums_experts: bool = False
    mixes_cache_types: bool = False
    caches_predictions: bool = True
    moves_sinks: bool = False
    simulated: bool = False
    devices: tuple[Device, ...] = ()

    def all_layers(self, model: ModelShape) -> bool:
        """Whether every one, and the output layer, is on a device."""
        return self.layers == ALL or self.layers > model.blocks

    @property
    def keeps_on_host(self) -> bool:
        """Whether a tensor of a block on a device may be on the host all the same."""
        return bool(self.overrides) or any(device.largest for device in self.devices)


@dataclass(frozen=True)
class Effective:
    """Numbers of tokens. `cells` are those of one sequence's cache, `streams` how many caches there
    are, `tokens` the worst batch that is computed at once, `outputs` the rows kept of it."""

    context: int
    cells: int
    streams: int
    batch: int
    ubatch: int
    tokens: int
    outputs: int


def effective(settings: Settings, model: ModelShape) -> Effective:
    """Of llama.cpp's `llama_context`: contexts in multiples of 256, one cache a slot or one for
    all."""
    stated = settings.context or model.trained_context
    context = _up(stated, _CELLS)
    slots = max(1, settings.slots)
    if settings.unified or slots == 1:
        cells, streams = context, 1
    else:
        cells, streams = _up(context // slots, _CELLS), slots
        context = cells * slots
    batch = min(stated, settings.batch) if model.is_causal else settings.batch
    ubatch = min(batch, settings.ubatch)
    if settings.embeddings:
        batch = ubatch
    tokens = _up(min(context, ubatch), slots)
    outputs = slots if settings.outputs is None else settings.outputs
    if settings.embeddings or outputs == 0:
        outputs = batch
    return Effective(context, cells, streams, batch, ubatch, tokens, min(outputs, tokens))


def stays_on_host(name: str, settings: Settings) -> bool:
    return any(re.search(pattern, name) for pattern in settings.overrides)


def _up(value: int, step: int) -> int:
    return -(-value // step) * step
