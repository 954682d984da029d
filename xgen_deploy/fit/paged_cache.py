"""A cache in pages for many requests at a time, as vLLM's planner lays it out: what a page is, what
one request needs, how many there is room for.

From vllm/v1/core/kv_cache_utils.py and kv_cache_interface.py (0.32, 0.33).
"""

from dataclasses import dataclass

_MLA_FP8 = 656  # bytes of a token in the fp8 layout of DeepSeek's own kernels


@dataclass(frozen=True, kw_only=True)
class Layers:
    """Of one model on one rank. `sliding` layers of `count` have a `window` in tokens. `latent` is
    the width of one vector a token in place of heads (MLA), 0 without. `element` in bytes."""

    count: int
    kv_heads: int
    head_size: int
    element: int = 2
    sliding: int = 0
    window: int = 0
    latent: int = 0
    packed: bool = False
    ranks: int = 1

    def page(self, block: int) -> int:
        """Bytes of one block of tokens in one layer."""
        if self.latent:
            return block * (_MLA_FP8 if self.packed else self.latent * self.element)
        heads = max(1, self.kv_heads // self.ranks)
        return 2 * block * heads * self.head_size * self.element


@dataclass(frozen=True)
class PagedCache:
    """`block_bytes` are those of one block in all layers, `request_blocks` what one request of the
    longest length takes of them, `blocks` how many there is room for."""

    block_bytes: int
    request_blocks: int
    blocks: int

    @property
    def request_bytes(self) -> int:
        """What must be free for the engine to start."""
        return self.block_bytes * self.request_blocks

    @property
    def concurrency(self) -> float:
        """Requests of the longest length at a time."""
        return self.blocks / self.request_blocks


def paged_cache(
    layers: Layers, *, length: int, batch: int, block: int, available: int, ahead: int = 2
) -> PagedCache:
    """For requests of at most `length` tokens, `batch` of which are computed at once, in so many
    `available` bytes. `ahead`: batches under way at a time.
    """
    full = layers.count - layers.sliding
    size, groups = _groups(full, layers.sliding)
    block_bytes = size * layers.page(block)
    own = -(-length // block)
    windowed = -(-min(layers.window - 1 + ahead * batch, length) // block) + 1
    full_groups = -(-full // size) if full else 0
    needed = full_groups * own + (groups - full_groups) * windowed
    return PagedCache(block_bytes, needed, available // block_bytes)


def _groups(full: int, sliding: int) -> tuple[int, int]:
    """How many layers share a block's place, and how many such groups there are: equal ones, so
    that each page can be any group's. Places that are left over in the last ones are lost."""
    if not full or not sliding:
        return full or sliding, 1
    fewer, more = sorted((full, sliding))
    size = more if more < 1.5 * fewer else fewer
    return size, -(-full // size) + -(-sliding // size)


def longest_request(
    layers: Layers, *, length: int, batch: int, block: int, available: int, ahead: int = 2
) -> int:
    """The longest request, in tokens up to `length`, that `available` bytes can hold; 0: none."""

    def fits(tokens: int) -> bool:
        cache = paged_cache(
            layers, length=tokens, batch=batch, block=block, available=available, ahead=ahead
        )
        return cache.request_bytes <= available

    if fits(length):
        return length
    low, high = 0, length
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low
