"""In what builds of llama.cpp differ where memory is concerned, by their number (`b10434`)."""

from collections.abc import Set
from dataclasses import dataclass

# Those whose starts were measured; of SAME to NEW alike.
OLD, SAME, NEW = 10434, 11434, 11549
# Options of llama-server since about these: not every build knows its number.
_SINCE = {"--kv-unified-per-slot": NEW, "--load-mode": OLD}
_CACHE_TYPES = SAME  # CUDA's flash attention takes pairs of cache types
_SUMS = 11000  # about
_INPUTS = 11400
_PREDICTIONS = SAME  # at the latest


@dataclass(frozen=True)
class Build:
    """See `Settings` for the first five. `measured`: between the builds that were measured it is
    not known when it changed."""

    mixes_inputs: bool
    sums_experts: bool
    mixes_cache_types: bool
    caches_predictions: bool
    moves_sinks: bool
    measured: bool


def build_of(number: int | None) -> Build:
    """None: the newest that is known."""
    number = NEW if number is None else number
    return Build(
        mixes_inputs=number >= _INPUTS,
        sums_experts=number >= _SUMS,
        mixes_cache_types=number >= _CACHE_TYPES,
        caches_predictions=number < _PREDICTIONS,
        moves_sinks=number < OLD,
        measured=not OLD < number < SAME,
    )


def build_with(options: Set[str]) -> Build:
    """By what `--help` lists; the newest where that is not known."""
    numbers = [number for option, number in _SINCE.items() if option in options]
    return build_of(max(numbers, default=OLD - 1)) if options else NEWEST


NEWEST = build_of(None)
