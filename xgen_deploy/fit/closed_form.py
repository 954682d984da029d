"""The bytes of the compute buffers where a model's graph is not known: an estimate, which holds for
models that are wholly on devices with flash attention, and is told as an estimate.
"""

from collections.abc import Sequence

from xgen_deploy.fit.cache import LayerCache
from xgen_deploy.fit.placement import Placement
from xgen_deploy.fit.settings import Effective, Settings
from xgen_deploy.fit.shape import ModelShape

_COPIES = 4


def estimated_bytes(
    settings: Settings,
    model: ModelShape,
    sizes: Effective,
    placement: Placement,
    caches: Sequence[LayerCache | None],
    *,
    ahead: bool,
) -> list[int]:
    """By device, the host last. `ahead`: several batches at a time."""
    tokens, width = sizes.tokens, 4 * sizes.tokens * model.width
    heads = 4 * tokens * model.heads * model.key_size
    peak = max(_feed_forward(model, tokens, width) + heads, 2 * width + 2 * heads)
    copies = _COPIES if ahead else 1
    rooms = []
    for device in range(len(settings.devices)):
        seen = _masks(placement.blocks_on(device), caches, sizes, settings)
        rooms.append(copies * seen + peak + (_COPIES * width if ahead else 0))
    everywhere = _masks(range(model.blocks), caches, sizes, settings)
    host = everywhere + 2 * width
    rooms.append(copies * host if settings.devices else host + peak)
    if placement.output is not None:
        outputs = 4 * sizes.outputs * (model.vocabulary + model.width)
        rooms[placement.output] = max(rooms[placement.output], outputs)
    return rooms


def _feed_forward(model: ModelShape, tokens: int, width: int) -> int:
    used = model.number("expert_used_count")
    inner = used * model.number("expert_feed_forward_length") if used else 0
    longest = max(inner, max(model.per_layer("feed_forward_length"), default=0))
    return 3 * 4 * tokens * longest + 2 * width + used * width


def _masks(
    blocks: Sequence[int], caches: Sequence[LayerCache | None], sizes: Effective, settings: Settings
) -> int:
    kinds = {(c.slides, c.cells) for b in blocks if (c := caches[b]) is not None}
    return sum(cells for _, cells in kinds) * sizes.tokens * (2 if settings.flash else 4)
