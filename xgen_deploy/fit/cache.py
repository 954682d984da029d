"""The cache of keys and values, layer by layer: exact, from the header alone."""

from dataclasses import dataclass
from functools import lru_cache

from xgen_deploy.fit.settings import Effective, Settings
from xgen_deploy.fit.shape import WITHOUT_CACHE, ModelShape

# Bytes of 32 elements.
_BYTES = {
    "f32": 128, "f16": 64, "bf16": 64, "q8_0": 34, "q5_1": 24, "q5_0": 22, "q4_1": 20, "q4_0": 18,
    "iq4_nl": 18,
}  # fmt: skip
# Keys of caches beside that of keys and values, and architectures that have others.
_OTHERS = ("attention.indexer.", "attention.compress")
_OTHER = frozenset({"t5", "t5encoder", "deepseek4", "wavtokenizer-dec"})
# How often a layer sees everything, where the header does not tell (llama.cpp, llama-model.cpp).
_PERIODS = {
    "gemma2": 2, "gemma3": 6, "gemma3n": 5, "gpt-oss": 2, "cohere2": 4, "exaone4": 4, "olmo2": 4,
    "llama4": 4, "smallthinker": 4, "afmoe": 4, "laguna": 4, "mellum": 4, "plamo3": 8,
    "modern-bert": 3, "gemma-embedding": 6,
}  # fmt: skip
_STEP = 256
_CHUNK = 8192
# The first layers have caches, the others read these.
_OWN = {"gemma3n": 20}


class UnknownCache(Exception):
    """The architecture remembers in a way that this version does not know."""


@dataclass(frozen=True)
class LayerCache:
    """Of one layer: elements of a token's key and value, how many `cells` each of its caches has,
    and the bytes of all. `slides`: it is one of those with a window, which have caches of their own
    kind."""

    key_elements: int
    value_elements: int
    cells: int
    slides: bool
    key_bytes: int
    value_bytes: int

    @property
    def bytes(self) -> int:
        return self.key_bytes + self.value_bytes


def has_cache(model: ModelShape) -> bool:
    return model.architecture not in WITHOUT_CACHE


def window_of(model: ModelShape) -> int:
    """0 where no layer has one."""
    if model.architecture == "phi3":  # read and ignored by the engine
        return 0
    if model.architecture == "llama4":  # in chunks; a stated 0 is none
        return _CHUNK if model.keys.get("attention.sliding_window") != 0 else 0
    return model.number("attention.sliding_window", 4096 if model.architecture == "gemma2" else 0)


def slides(model: ModelShape, layer: int) -> bool:
    if not window_of(model):
        return False
    pattern = model.keys.get("attention.sliding_window_pattern")
    if isinstance(pattern, list):
        return bool(pattern[layer])
    period = pattern if isinstance(pattern, int) else _PERIODS.get(model.architecture, 0)
    return bool(period) and layer % period < period - 1


def layer_caches(
    settings: Settings, model: ModelShape, sizes: Effective
) -> tuple[LayerCache | None, ...]:
    """By block; None where it has none. Raises UnknownCache."""
    if model.architecture in _OTHER or any(key.startswith(_OTHERS) for key in model.keys):
        raise UnknownCache(model.architecture)
    if not has_cache(model):
        return (None,) * model.blocks
    kinds = _kinds(model, predictions=settings.caches_predictions)
    longest = max((value for _, value, _ in kinds), default=0)
    caches: dict[tuple[int, int, bool], LayerCache | None] = {}
    for key, value, sliding in dict.fromkeys(kinds):
        own = value if settings.flash or model.is_mla else longest
        cache = _cache(settings, model, sizes, (key, own), sliding=sliding)
        caches[key, value, sliding] = cache if key else None
    return tuple(caches[kind] for kind in kinds)


@lru_cache(maxsize=128)
def _kinds(model: ModelShape, *, predictions: bool) -> tuple[tuple[int, int, bool], ...]:
    """Of each block: elements of keys and of values, and whether it slides."""
    return tuple(
        (*_elements(model, at, predictions=predictions), slides(model, at))
        for at in range(model.blocks)
    )


def _cache(
    settings: Settings,
    model: ModelShape,
    sizes: Effective,
    elements: tuple[int, int],
    *,
    sliding: bool,
) -> LayerCache:
    limited = sliding and not settings.full_window
    cells = sliding_cells(settings, model, sizes) if limited else sizes.cells
    rows = cells * sizes.streams
    key_bytes = cache_bytes(settings.key_type, elements[0] * rows)
    value_bytes = cache_bytes(settings.value_type, elements[1] * rows)
    return LayerCache(*elements, cells, sliding, key_bytes, value_bytes)


def sliding_cells(settings: Settings, model: ModelShape, sizes: Effective) -> int:
    several = max(1, settings.slots) if settings.unified else 1
    needed = window_of(model) * several + sizes.ubatch
    return min(sizes.cells, -(-needed // _STEP) * _STEP)


def padding(settings: Settings, cache: LayerCache) -> int:
    """CUDA pads a quantised row to 512 elements, once a tensor."""
    parts = (
        (settings.key_type, cache.key_elements),
        (settings.value_type, cache.value_elements),
    )
    return sum(
        cache_bytes(kind, 512 - row % 512) for kind, row in parts if kind[0] in "qi" and row % 512
    )


def cache_bytes(kind: str, elements: int) -> int:
    return elements * _BYTES[kind] // 32


def _elements(model: ModelShape, layer: int, *, predictions: bool) -> tuple[int, int]:
    if not _has_own(model, layer, predictions=predictions):
        return 0, 0
    if model.is_mla:
        rank = model.number("attention.kv_lora_rank")
        return rank + model.number("rope.dimension_count"), 0
    heads, kind = model.kv_heads[layer], "_swa" if slides(model, layer) else ""
    key = model.number(f"attention.key_length{kind}") or model.key_size
    value = model.number(f"attention.value_length{kind}") or model.value_size
    return key * heads, value * heads


def _has_own(model: ModelShape, layer: int, *, predictions: bool) -> bool:
    if layer >= model.layers and not predictions:
        return False
    shared = model.number("attention.shared_kv_layers")
    own = _OWN.get(model.architecture, model.blocks - shared)
    return layer < own and model.attends[layer]
