"""The graph of an encoder of BERT's kind: no cache, every token sees every other one."""

from collections.abc import Sequence

from xgen_deploy.fit.replay.attention import across, by_heads
from xgen_deploy.fit.replay.batch import embedded
from xgen_deploy.fit.replay.graph import (
    F16,
    F32,
    I32,
    Graph,
    Node,
    graph_input,
    product,
    tensor,
    view,
)
from xgen_deploy.fit.replay.leafs import Leafs
from xgen_deploy.fit.shape import ModelShape

KNOWN = frozenset({"bert"})
# What is read of a block.
_NAMES = ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_up", "ffn_down")
_TENSORS = frozenset(
    f"{of}.{part}"
    for of in (*_NAMES, "attn_output_norm", "layer_output_norm")
    for part in ("weight", "bias")
)


def knows(model: ModelShape) -> bool:
    """Whether the graph is its engine's own."""
    return model.architecture in KNOWN and all(map(_TENSORS.issuperset, model.by_block))


def encoder_graph(leafs: Leafs, blocks: Sequence[int]) -> Graph:
    """Of these blocks. Raises KeyError where the model lacks what such a block has."""
    graph, count = Graph(), leafs.sizes.tokens
    x = _embedded(graph, leafs)
    sees = graph_input((count, count, 1, 1), F16 if leafs.settings.flash else F32)
    for layer in blocks:
        x = _block(graph, leafs, layer, x, sees)
    x.is_output = True
    graph.add(x)
    slots = leafs.settings.slots
    pooled = tensor("get_rows", (x.shape[0], slots), x, graph_input((slots,), I32))
    pooled.is_output = True
    graph.add(pooled)
    return graph


def _embedded(graph: Graph, leafs: Leafs) -> Node:
    width, count, whole = leafs.model.width, leafs.sizes.tokens, leafs.model.whole
    x = embedded(graph, leafs)
    if "token_types.weight" in whole:
        x = tensor("add", x.shape, x, view(leafs.table("token_types.weight"), (width,)))
    if "position_embd.weight" in whole:
        table = leafs.table("position_embd.weight")
        places = tensor("get_rows", (width, count), table, leafs.positions)
        x = tensor("add", x.shape, places, x)
    weight, bias = (leafs.table(f"token_embd_norm.{part}") for part in ("weight", "bias"))
    return _centred(x, weight, bias)


def _block(graph: Graph, leafs: Leafs, layer: int, x: Node, sees: Node) -> Node:
    attended = _attention(graph, leafs, layer, x, sees)
    if layer == leafs.model.blocks - 1:
        attended, x = (
            tensor("get_rows", (part.shape[0], leafs.sizes.outputs), part, leafs.kept_rows)
            for part in (attended, x)
        )
    after = tensor("add", attended.shape, attended, x)
    after = _normed(leafs, layer, after, "attn_output_norm")
    up = _biased(leafs, layer, "ffn_up", after)
    down = _biased(leafs, layer, "ffn_down", tensor("unary", up.shape, up))
    out = tensor("add", down.shape, down, after)
    return _normed(leafs, layer, out, "layer_output_norm")


def _attention(graph: Graph, leafs: Leafs, layer: int, x: Node, sees: Node) -> Node:
    heads, count, size = leafs.model.heads, leafs.sizes.tokens, leafs.model.key_size
    parts = [
        view(_biased(leafs, layer, name, x), (size, heads, count))
        for name in ("attn_q", "attn_k", "attn_v")
    ]
    for part in parts:
        graph.add(part)
    shape = (size, count, heads, 1)
    q, k, v = by_heads(parts[0], shape), view(parts[1], shape), view(parts[2], shape)
    if leafs.settings.flash:
        k, v = (tensor("cast", shape, part, kind=F16) for part in (k, v))
        mixed = tensor("flash", (size, heads, count, 1), q, k, v, sees)
        out = view(mixed, (size * heads, count))
    else:
        scores = tensor("mul_mat", (count, count, heads, 1), k, q)
        weights = tensor("softmax", scores.shape, scores, sees)
        turned = across(v, (count, size, heads, 1))
        mixed = tensor("mul_mat", (size, count, heads, 1), turned, weights)
        out = tensor("cont", (size * heads, count), view(mixed, (size, heads, count, 1)))
    return _biased(leafs, layer, "attn_output", graph.add(out))


def _biased(leafs: Leafs, layer: int, name: str, x: Node) -> Node:
    out = product(leafs.block(layer, f"{name}.weight"), x)
    return tensor("add", out.shape, out, leafs.block(layer, f"{name}.bias"))


def _normed(leafs: Leafs, layer: int, x: Node, name: str) -> Node:
    weight, bias = (leafs.block(layer, f"{name}.{part}") for part in ("weight", "bias"))
    place = leafs.placement.slots[layer] if leafs.pins_norms else None
    return _centred(x, weight, bias, pinned=place)


def _centred(x: Node, weight: Node, bias: Node, pinned: int | None = None) -> Node:
    plain = tensor("layer_norm", x.shape, x)
    plain.pinned = pinned
    return tensor("add", x.shape, tensor("mul", x.shape, plain, weight), bias)
