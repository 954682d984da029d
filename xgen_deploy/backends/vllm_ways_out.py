"""With which settings vLLM would start, where it does not with those that are stated."""

import math
from collections.abc import Iterator
from dataclasses import replace as with_fields

from xgen_deploy.backends.vllm_asked import MIB, Asked
from xgen_deploy.backends.vllm_forecast import held
from xgen_deploy.frozen import replace

_MOST_SHARE = 0.95
_SHORTEST = 1024
_STEP = 1024


def ways_out(asked: Asked) -> Iterator[str]:
    """Lines for a manifest with which it would start, the least change first."""
    sizes, beside = held(asked), asked.allowance
    if sizes is None:
        return
    request = sizes.request(asked)
    if asked.cache_bytes is not None:
        yield f"vllm: {{kv_cache_memory_bytes: {-(-request // MIB)}M}}"
    else:
        pairs = zip(sizes.weights, asked.totals, strict=True)
        share = max((weights + request + beside) / total for weights, total in pairs)
        if share <= _MOST_SHARE:
            yield f"vllm: {{gpu_memory_utilization: {math.ceil(share * 100) / 100:g}}}"
    longest = sizes.longest(asked, sizes.room(asked, beside)) // _STEP * _STEP
    if longest >= _SHORTEST:
        yield f"n_ctx: {longest}"
    if asked.settings.kv_cache_dtype in (None, "auto") and sizes.caches:
        settings = replace(asked.settings, kv_cache_dtype="fp8")
        smaller = with_fields(asked, settings=settings)
        yield from ["vllm: {kv_cache_dtype: fp8}"] * _starts(smaller)


def _starts(asked: Asked) -> bool:
    sizes = held(asked)
    return sizes is not None and sizes.room(asked, asked.allowance) >= sizes.request(asked)
