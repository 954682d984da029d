"""What vLLM will take of memory. It takes a share of each GPU whatever the model needs, so that the
question is whether it starts with that, and how many requests it then holds at once.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from xgen_deploy.backends.vllm_asked import Asked
from xgen_deploy.backends.vllm_config import number
from xgen_deploy.backends.vllm_shape import attention, stored_weights, weights_by_config
from xgen_deploy.fit.paged_cache import Layers, PagedCache, longest_request, paged_cache
from xgen_deploy.fit.stored_weights import stages
from xgen_deploy.sizes import size_text
from xgen_deploy.state.forecast import Forecast, Need, Share

_MOST_LAYERS = 10_000


@dataclass(frozen=True)
class Held:
    """`weights` in bytes and the cache of each GPU, `caches` empty where it is not known. Not
    `certain`: the weights are an estimate."""

    weights: list[int]
    caches: list[Layers]
    certain: bool

    def room(self, asked: Asked, beside: int) -> int:
        """What the cache has where there is least, with so much for anything `beside`."""
        if asked.cache_bytes is not None:
            return asked.cache_bytes
        budgets = zip(asked.budgets, self.weights, strict=True)
        return min(budget - weights - beside for budget, weights in budgets)

    def request(self, asked: Asked) -> int:
        return max((_paged(asked, c, 0).request_bytes for c in self.caches), default=0)

    def concurrency(self, asked: Asked, room: int) -> float:
        each = (_paged(asked, c, max(0, room)).concurrency for c in self.caches)
        return min(each, default=0.0)

    def longest(self, asked: Asked, room: int) -> int:
        return min((_longest(asked, c, max(0, room)) for c in self.caches), default=0)


def held(asked: Asked) -> Held | None:
    """None where the weights, or the sizes of its GPUs, are not known."""
    count, cuts = number(asked.model, "num_hidden_layers"), len(asked.gpus) // asked.ranks
    if count is None or not cuts <= count <= _MOST_LAYERS or not all(asked.totals):
        return None
    parts = stages(count, cuts)
    facts = asked.model.weights
    if facts is not None:
        stored = stored_weights(asked.model, asked.settings, facts)
    else:
        stored = weights_by_config(asked.model, asked.settings)
    cache = attention(asked.model, asked.settings, asked.ranks, parts)
    caches = [c for c in cache or () for _ in range(asked.ranks)]
    if stored is not None:
        weights = [stored.rank_bytes(asked.ranks, p) for p in parts for _ in range(asked.ranks)]
        return Held(weights, caches, certain=True)
    if not asked.model.size:
        return None
    return Held([asked.model.size // len(asked.gpus)] * len(asked.gpus), caches, certain=False)


def vllm_forecast(asked: Asked) -> Forecast | None:
    """None where nothing can be said."""
    sizes = held(asked)
    if sizes is None:
        return None
    beside, request = asked.allowance, sizes.request(asked)
    room, stated = sizes.room(asked, beside), asked.cache_bytes
    needs = tuple(
        Need(weights, max(0, budget - weights - beside) if stated is None else stated, beside)
        for weights, budget in zip(sizes.weights, asked.budgets, strict=True)
    )
    fails = why_not(asked, sizes)
    return Forecast(
        devices=needs,
        host=Need(0, 0, 0),
        exact=False,
        notes=() if fails else tuple(_notes(asked, room, request)),
        certain=sizes.certain,
        share=Share(request, max(0, room), sizes.concurrency(asked, room), beside),
        fails=fails,
    )


def why_not(asked: Asked, sizes: Held) -> str | None:
    """Why it would not start, however little it takes beside the weights and the cache; None where
    it may, or where these are not known."""
    room, request = sizes.room(asked, 0), sizes.request(asked)
    if not sizes.certain or room >= max(1, request):
        return None
    if asked.cache_bytes is not None:
        return (
            f"vLLM would not start: a request of {asked.length} tokens needs "
            f"{size_text(request)} of its cache on each GPU, and kv_cache_memory_bytes is "
            f"{size_text(room)}"
        )
    least = min(range(len(asked.gpus)), key=lambda n: asked.budgets[n] - sizes.weights[n])
    gpu, budget, weights = asked.gpus[least], asked.budgets[least], sizes.weights[least]
    share = (
        f"its share of GPU {gpu.label} is {size_text(budget)} of {size_text(asked.totals[least])}"
    )
    if room <= 0:
        return f"vLLM would not start: {share}, and the weights alone are {size_text(weights)}"
    return (
        f"vLLM would not start: {share}, the weights are {size_text(weights)}, and the "
        f"{size_text(room)} that are left hold no request of {asked.length} tokens, which needs "
        f"{size_text(request)}"
    )


def _notes(asked: Asked, room: int, request: int) -> Iterator[str]:
    beside = f"{size_text(asked.allowance)} are taken for activations and CUDA graphs"
    if asked.learned is None:
        yield f"first run: {beside}, ± {size_text(asked.allowance)}"
    else:
        yield f"{beside}, as at its last start"
    if room < request:
        yield (
            f"it may not start: a request of {asked.length} tokens needs "
            f"{size_text(request)} of the cache, for which {size_text(max(0, room))} would be left"
        )


def _block(asked: Asked, layers: Layers) -> int:
    return asked.block or (64 if layers.latent else 16)


def _paged(asked: Asked, layers: Layers, available: int) -> PagedCache:
    return paged_cache(
        layers,
        length=asked.length,
        batch=asked.batch,
        block=_block(asked, layers),
        available=available,
    )


def _longest(asked: Asked, layers: Layers, available: int) -> int:
    return longest_request(
        layers,
        length=asked.length,
        batch=asked.batch,
        block=_block(asked, layers),
        available=available,
    )
