"""In what builds of llama.cpp differ where memory is concerned, by their number (`b10434`)."""

from dataclasses import dataclass

# Those whose starts were measured.
OLD, NEW = 10434, 11549
_CACHE_TYPES = 11434  # CUDA's flash attention takes pairs of cache types
_INPUTS = 11500


@dataclass(frozen=True)
class Build:
    """See `Settings` for the three. `measured`: between the builds that were measured it is not
    known when it changed."""

    mixes_inputs: bool
    mixes_cache_types: bool
    caches_predictions: bool
    measured: bool


def build_of(number: int | None) -> Build:
    """None: the newest that is known."""
    number = NEW if number is None else number
    return Build(
        mixes_inputs=number >= _INPUTS,
        mixes_cache_types=number >= _CACHE_TYPES,
        caches_predictions=number < _INPUTS,
        measured=not OLD < number < NEW,
    )
