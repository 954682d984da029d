"""Attention over a cache, as build_attn and build_attn_mha in llama-graph.cpp: keys and values are
stored, then all that the cache holds is attended to.
"""

from xgen_deploy.fit.cache import LayerCache
from xgen_deploy.fit.replay.graph import Graph, Node, elements, norm, product, tensor, view
from xgen_deploy.fit.replay.leafs import Leafs

# Queries, keys and values in one, and where queries are scaled before attention.
_ALL = "attn_qkv.weight"
_SCALES = ("gemma", "phi3")


def attention(graph: Graph, leafs: Leafs, layer: int, x: Node) -> Node:
    """Of heads with keys and values of their own, or of groups of them."""
    cache = _cache(leafs, layer)
    q, k, v = _together(leafs, layer, x) if leafs.has(layer, _ALL) else _apart(leafs, layer, x)
    if leafs.model.architecture.startswith(_SCALES):
        q = tensor("scale", q.shape, q)
    by_keys, by_values = leafs.turns(cache)
    if by_keys is not None:
        q, k = _turned(by_keys, q), _turned(by_keys, k)
    if by_values is not None:
        v = _turned(by_values, v)
    # Where layers have windows, the engine adds keys before values.
    order = (q, k, v) if leafs.has_windows else (q, v, k)
    for part in order:
        graph.add(part)
    attended = _over_cache(graph, leafs, layer, q, k, v)
    if by_values is not None:
        attended = _turned(by_values, attended)
    out = product(leafs.block(layer, "attn_output.weight"), attended)
    if leafs.has(layer, "attn_output.bias"):
        out = tensor("add", out.shape, out, leafs.block(layer, "attn_output.bias"))
    return out


def latent_attention(graph: Graph, leafs: Leafs, layer: int, x: Node) -> Node:
    """Keys and values are one short vector a token; queries are brought to its width (MLA)."""
    model, count = leafs.model, leafs.sizes.tokens
    heads, rank = model.heads, model.number("attention.kv_lora_rank")
    turned = model.number("rope.dimension_count")
    plain = model.number("attention.key_length_mla") - turned
    q = _latent_queries(leafs, layer, x)
    both = product(leafs.block(layer, "attn_kv_a_mqa.weight"), x)
    q_turned = tensor("rope", (turned, heads, count), _split(q, turned, heads), leafs.positions)
    k_turned = tensor("rope", (turned, 1, count), _split(both, turned, 1), leafs.positions)
    latent = norm(leafs, layer, view(both, (rank, count)), "attn_kv_a_norm.weight")
    by_head = by_heads(q, (plain, count, heads))
    wide = tensor("mul_mat", (rank, count, heads), leafs.block(layer, "attn_k_b.weight"), by_head)
    wide = view(wide, (rank, heads, count))
    queries = tensor("concat", (rank + turned, heads, count), wide, q_turned)
    value = view(latent, (rank, 1, count))
    keys = tensor("concat", (rank + turned, 1, count), value, k_turned)
    for part in (queries, value, keys):
        graph.add(part)
    attended = _over_latent_cache(graph, leafs, layer, queries, keys)
    return product(leafs.block(layer, "attn_output.weight"), attended)


def _apart(leafs: Leafs, layer: int, x: Node) -> list[Node]:
    """Queries, keys and values by a matrix each."""
    return [
        _head(leafs, layer, f"attn_{name}", _projected(leafs, layer, f"attn_{name}", x), shape)
        for name, shape in zip("qkv", _shapes(leafs, layer), strict=True)
    ]


def _together(leafs: Leafs, layer: int, x: Node) -> list[Node]:
    """By one matrix: each is a part of every row."""
    rows = _projected(leafs, layer, _ALL.partition(".")[0], x)
    return [
        _head(leafs, layer, f"attn_{name}", rows, shape)
        for name, shape in zip("qkv", _shapes(leafs, layer), strict=True)
    ]


def _shapes(leafs: Leafs, layer: int) -> tuple[tuple[int, int, int], ...]:
    model, count = leafs.model, leafs.sizes.tokens
    heads, groups = model.per_layer("attention.head_count")[layer], model.kv_heads[layer]
    return (
        (model.key_size, heads, count),
        (model.key_size, groups, count),
        (model.value_size, groups, count),
    )


def _projected(leafs: Leafs, layer: int, name: str, x: Node) -> Node:
    part = product(leafs.block(layer, f"{name}.weight"), x)
    if leafs.has(layer, f"{name}.bias"):
        part = tensor("add", part.shape, part, leafs.block(layer, f"{name}.bias"))
    return part


def _head(leafs: Leafs, layer: int, name: str, x: Node, shape: tuple[int, int, int]) -> Node:
    part = view(x, shape)
    if leafs.has(layer, f"{name}_norm.weight"):
        part = norm(leafs, layer, part, f"{name}_norm.weight")
    if name != "attn_v":
        factors = leafs.rope_factors(layer)
        part = tensor("rope", part.shape, part, leafs.positions, *factors)
    return part


def _latent_queries(leafs: Leafs, layer: int, x: Node) -> Node:
    if not leafs.has(layer, "attn_q_a.weight"):
        return product(leafs.block(layer, "attn_q.weight"), x)
    short = product(leafs.block(layer, "attn_q_a.weight"), x)
    short = norm(leafs, layer, short, "attn_q_a_norm.weight")
    return product(leafs.block(layer, "attn_q_b.weight"), short)


def _over_cache(graph: Graph, leafs: Leafs, layer: int, q: Node, k: Node, v: Node) -> Node:
    cache = _cache(leafs, layer)
    count, streams = leafs.sizes.tokens, leafs.sizes.streams
    keys, values = leafs.cached(layer)
    key_rows, value_rows = leafs.rows(cache)
    graph.add(_stored(leafs, keys, view(k, (cache.key_elements, count)), key_rows))
    wide = view(v, (cache.value_elements, count))
    if not leafs.settings.flash:
        wide = view(wide, (1, cache.value_elements * count))
    graph.add(_stored(leafs, values, wide, value_rows))
    share, heads, size = count // streams, q.shape[1], v.shape[0]
    queries = by_heads(q, (q.shape[0], share, heads, streams))
    all_keys = by_heads(keys, (q.shape[0], cache.cells, k.shape[1], streams))
    all_values = by_heads(values, (size, cache.cells, v.shape[1], streams))
    sinks = [leafs.block(layer, n) for n in ("attn_sinks.weight",) if leafs.has(layer, n)]
    mask = leafs.mask(cache)
    if leafs.settings.flash:
        shape = (size, heads, share, streams)
        mixed = tensor("flash", shape, queries, all_keys, all_values, mask, *sinks)
        mixed.extra = _scratch(leafs, cache)
        out = view(mixed, (size * heads, count))
    else:
        scores = tensor("mul_mat", (cache.cells, share, heads, streams), all_keys, queries)
        if "attn_logit_softcapping" in leafs.model.keys:
            for op in ("scale", "unary", "scale"):
                scores = tensor(op, scores.shape, scores)
        weights = tensor("softmax", scores.shape, scores, mask, *sinks)
        mixed = tensor("mul_mat", (size, share, heads, streams), all_values, weights)
        out = tensor("cont", (size * heads, count), view(mixed, (size, heads, share, streams)))
        if not leafs.settings.cache_on_device and not leafs.settings.simulated:
            out.pinned = leafs.host
    return graph.add(out)


def _over_latent_cache(graph: Graph, leafs: Leafs, layer: int, q: Node, k: Node) -> Node:
    cache = _cache(leafs, layer)
    count, streams, heads = leafs.sizes.tokens, leafs.sizes.streams, q.shape[1]
    share, rank = count // streams, leafs.model.number("attention.kv_lora_rank")
    stored, _ = leafs.cached(layer)
    rows, _ = leafs.rows(cache)
    graph.add(_stored(leafs, stored, view(k, (cache.key_elements, count)), rows))
    whole = view(stored, (cache.key_elements, cache.cells, 1, streams))
    keys, values = view(whole, whole.shape), by_heads(whole, (rank, cache.cells, 1, streams))
    queries = by_heads(q, (cache.key_elements, share, heads, streams))
    mask, back = leafs.mask(cache), leafs.block(layer, "attn_v_b.weight")
    own_shape = (back.shape[1], share, heads, streams)
    if leafs.settings.flash:
        mixed = tensor("flash", (rank, heads, share, streams), queries, keys, values, mask)
        mixed.extra = _scratch(leafs, cache)
        own = tensor("mul_mat", own_shape, back, view(mixed, (rank, share, heads, streams)))
    else:
        scores = tensor("mul_mat", (cache.cells, share, heads, streams), keys, queries)
        weights = tensor("softmax", scores.shape, scores, mask)
        shape = (cache.cells, rank, 1, streams)
        mixed = tensor("mul_mat", (rank, share, heads, streams), across(values, shape), weights)
        own = tensor("mul_mat", own_shape, back, mixed)
    size = back.shape[1]
    out = tensor("cont", (size * heads, count), view(own, (size, heads, share, streams)))
    return graph.add(view(out, out.shape) if leafs.settings.flash else out)


def across(values: Node, shape: tuple[int, ...]) -> Node:
    """Values the other way round, copied."""
    return tensor("cont", shape, view(values, shape))


def _scratch(leafs: Leafs, cache: LayerCache) -> int:
    """CUDA's attention first makes an f16 copy of a cache of another type: bytes."""
    rows, settings = cache.cells * leafs.sizes.streams, leafs.settings
    keys = 0 if settings.key_type == "f16" else cache.key_elements
    values = 0 if settings.value_type == "f16" else cache.value_elements
    return 2 * (keys + values) * rows


def by_heads(x: Node, shape: tuple[int, ...]) -> Node:
    """Two views, of which the second exchanges axes: Vulkan's order counts them."""
    return view(view(x, shape), shape)


def _stored(leafs: Leafs, cache: Node, rows: Node, indices: Node) -> Node:
    several = leafs.sizes.streams > 1
    into = view(cache, cache.shape) if several else cache  # all of them as one
    srcs = [rows, indices, into]
    return Node("set_rows", cache.shape, cache.kind, srcs, view_of=cache, rows=rows.rows)


def _turned(turn: Node, x: Node) -> Node:
    size = turn.shape[0]
    flat = view(x, (size, elements(x.shape) // size))
    return view(tensor("mul_mat", flat.shape, turn, flat), x.shape)


def _split(x: Node, size: int, heads: int) -> Node:
    return view(x, (size, heads, x.shape[1]))


def _cache(leafs: Leafs, layer: int) -> LayerCache:
    cache = leafs.caches[layer]
    if cache is None:
        raise KeyError(f"block {layer} has no cache")
    return cache
