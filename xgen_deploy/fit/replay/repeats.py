"""Which blocks are replayed. Once there were a few that are alike, each leaves the room that it
computes in as it found it: of a long row of them the first few stand for all.
"""

from collections.abc import Hashable, Sequence

from xgen_deploy.fit.replay.leafs import Leafs
from xgen_deploy.fit.settings import stays_on_host

_LONGEST_PERIOD = 8  # of layers, such as five with a window and one without
_KEPT = 4  # blocks, but at least so many times what repeats itself:
_KEPT_TIMES = 3


def replayed_blocks(leafs: Leafs) -> list[int]:
    """Of those that are computed, in order; the last one, which is computed otherwise, too."""
    model, caches = leafs.model, leafs.caches
    heads = model.per_layer("attention.head_count")
    blocks = range(model.layers)
    weights = [_weights(leafs, block) for block in blocks]
    places = leafs.placement.slots
    kinds = [(places[b], weights[b], heads[b], model.kv_heads[b], caches[b]) for b in blocks[:-1]]
    return [*without_repeats(kinds), *blocks[-1:]]


def without_repeats(kinds: Sequence[Hashable]) -> list[int]:
    """The places of those that are kept: of whatever repeats itself a few, an even number fewer."""
    kept: list[int] = []
    at = 0
    while at < len(kinds):
        period, repeats = _row(kinds, at)
        few = _kept_of(period)
        few = min(repeats, few + (repeats - few) % 2)
        kept += range(at, at + period * few)
        at += period * repeats
    return kept


def _row(kinds: Sequence[Hashable], start: int) -> tuple[int, int]:
    """The period of what begins here and how often it comes, where that is more than are kept."""
    for period in range(1, _LONGEST_PERIOD + 1):
        end = start + period
        while end < len(kinds) and kinds[end] == kinds[end - period]:
            end += 1
        repeats = (end - start) // period
        if repeats > _kept_of(period) + 1:
            return period, repeats
    return 1, 1


def _kept_of(period: int) -> int:
    return max(_KEPT_TIMES, -(-_KEPT // period))


def _weights(leafs: Leafs, block: int) -> Hashable:
    """By their types only where some are on the host: they are copied to where they are needed."""
    model, settings = leafs.model, leafs.settings
    on_device = leafs.placement.slots[block] is not None
    if on_device and not settings.keeps_on_host:
        return model.block_layouts[block]
    tensors = model.by_block[block].values()
    return model.block_kinds[block], tuple(stays_on_host(t.name, settings) for t in tensors)
