"""What follows attention in a block: a feed-forward network, or some experts among many
(llama-graph.cpp, build_ffn and build_moe_ffn).
"""

from xgen_deploy.fit.replay.graph import I32, Graph, Node, product, tensor, view
from xgen_deploy.fit.replay.leafs import Leafs

_SIGMOID = 2
# Experts of a token that newer builds weigh and sum up in one step on CUDA, at most.
_SUMMED = 15
# The others always let the weights of a token's experts sum up to one.
_NORM_STATED = frozenset({"deepseek2", "glm4moe"})


def feed_forward(leafs: Leafs, layer: int, x: Node, kind: str = "") -> Node:
    """`kind` is what the tensors' names end in."""
    up = product(leafs.block(layer, f"ffn_up{kind}.weight"), x)
    if not kind and not leafs.has(layer, "ffn_gate.weight"):  # two in one matrix
        half = tensor("glu", (up.shape[0] // 2, *up.shape[1:]), up)
        return product(leafs.block(layer, "ffn_down.weight"), half)
    gate = product(leafs.block(layer, f"ffn_gate{kind}.weight"), x)
    both = tensor("glu", gate.shape, gate, up)
    return product(leafs.block(layer, f"ffn_down{kind}.weight"), both)


def experts(graph: Graph, leafs: Leafs, layer: int, x: Node) -> Node:
    """A router picks some for each token; their results are summed up by its weights."""
    used, count = leafs.model.number("expert_used_count"), x.shape[1]
    chosen, weights = _router(leafs, layer, x)
    graph.add(weights)
    each = view(x, (x.shape[0], 1, count))
    up = _expert(leafs, layer, "ffn_up_exps", each, chosen)
    gate = _expert(leafs, layer, "ffn_gate_exps", each, chosen)
    both = tensor("glu", gate.shape, gate, up)
    down = _expert(leafs, layer, "ffn_down_exps", both, chosen)
    weighted = tensor("mul", down.shape, down, weights)
    parts = [graph.add(view(weighted, (x.shape[0], count))) for _ in range(used)]
    total = parts[0]
    for part in parts[1:]:
        total = graph.add(tensor("add", part.shape, total, part))
    if leafs.settings.sums_experts and 1 < used <= _SUMMED:
        total.keeps = down, weights
    if leafs.has(layer, "ffn_gate_shexp.weight"):
        shared = feed_forward(leafs, layer, x, "_shexp")
        total = tensor("add", shared.shape, total, shared)
    return total


def _router(leafs: Leafs, layer: int, x: Node) -> tuple[Node, Node]:
    """Which experts each token has, and with what weights."""
    model, count = leafs.model, x.shape[1]
    all_experts, used = model.number("expert_count"), model.number("expert_used_count")
    scores = product(leafs.block(layer, "ffn_gate_inp.weight"), x)
    if leafs.has(layer, "ffn_gate_inp.bias"):
        bias = leafs.block(layer, "ffn_gate_inp.bias")
        scores = tensor("add", scores.shape, scores, bias)
    late = model.architecture == "gpt-oss"  # weighs only what it chose
    by_itself = model.number("expert_gating_func") == _SIGMOID
    shares = scores if late else tensor("unary" if by_itself else "softmax", scores.shape, scores)
    judged = shares
    if leafs.has(layer, "exp_probs_b.bias"):
        bias = leafs.block(layer, "exp_probs_b.bias")
        judged = tensor("add", shares.shape, shares, bias)
    chosen = view(tensor("argsort", (all_experts, count), judged, kind=I32), (used, count))
    by_token = view(shares, (1, all_experts, count))
    weights = tensor("get_rows", (1, used, count), by_token, chosen)
    flat = view(weights, (used, count))
    if late:
        return chosen, view(tensor("softmax", flat.shape, flat), weights.shape)
    if model.architecture in _NORM_STATED and not model.keys.get("expert_weights_norm"):
        return chosen, weights
    total = tensor("clamp", (1, count), tensor("sum_rows", (1, count), flat))
    return chosen, view(tensor("div", flat.shape, flat, total), weights.shape)


def _expert(leafs: Leafs, layer: int, name: str, x: Node, chosen: Node) -> Node:
    weight = leafs.block(layer, f"{name}.weight")
    used, count = chosen.shape
    part = tensor("mul_mat_id", (weight.shape[1], used, count), weight, x, chosen, rows=count)
    if leafs.has(layer, f"{name}.bias"):
        part = tensor("add", part.shape, part, leafs.block(layer, f"{name}.bias"), chosen)
    return part
