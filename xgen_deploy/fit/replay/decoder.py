"""The graph of a model that generates text: blocks of attention and feed-forward over a cache, in
the order of the engine's own builders (src/models/ of llama.cpp).
"""

from collections.abc import Sequence

from xgen_deploy.fit.replay.attention import attention, latent_attention
from xgen_deploy.fit.replay.batch import embedded
from xgen_deploy.fit.replay.feed_forward import experts, feed_forward
from xgen_deploy.fit.replay.graph import Graph, Node, norm, product, tensor
from xgen_deploy.fit.replay.leafs import Leafs
from xgen_deploy.fit.shape import ModelShape

KNOWN = frozenset(
    {
        *("llama", "qwen2", "qwen3", "qwen3moe", "gemma2", "gemma3", "gpt-oss", "deepseek2"),
        *("glm4moe", "granite", "mistral3", "phi3", "smollm3", "internlm2", "ernie4_5"),
        *("seed_oss", "hunyuan-dense", "qwen2vl"),
    }
)
# What is read of a block; one that has more is computed otherwise.
_TENSORS = frozenset(
    {
        *("attn_norm.weight", "attn_output.weight", "attn_output.bias", "attn_sinks.weight"),
        *(f"attn_{of}.{part}" for of in "qkv" for part in ("weight", "bias")),
        *("attn_q_norm.weight", "attn_k_norm.weight", "post_attention_norm.weight"),
        *("attn_q_a.weight", "attn_q_a_norm.weight", "attn_q_b.weight", "attn_kv_a_mqa.weight"),
        *("attn_kv_a_norm.weight", "attn_k_b.weight", "attn_v_b.weight", "attn_qkv.weight"),
        "exp_probs_b.bias",
        *("ffn_norm.weight", "post_ffw_norm.weight", "ffn_gate_inp.weight", "ffn_gate_inp.bias"),
        *(f"ffn_{of}.weight" for of in ("up", "gate", "down")),
        *(f"ffn_{of}_shexp.weight" for of in ("up", "gate", "down")),
        *(f"ffn_{of}_exps.{part}" for of in ("up", "gate", "down") for part in ("weight", "bias")),
    }
)


def knows(model: ModelShape) -> bool:
    """Whether the graph is its engine's own."""
    if model.architecture not in KNOWN:
        return False
    return all(_TENSORS.issuperset(model.by_block[layer]) for layer in range(model.layers))


def decoder_graph(leafs: Leafs, blocks: Sequence[int]) -> Graph:
    """Of these blocks. Raises KeyError where the model lacks what such a block has."""
    graph = Graph()
    x = _embedded(graph, leafs)
    for layer in blocks:
        x = _block(graph, leafs, layer, x)
    x = tensor("mul", x.shape, tensor("norm", x.shape, x), leafs.output("output_norm.weight"))
    x.is_output = True
    logits = product(leafs.output("output.weight", "token_embd.weight"), x)
    logits.is_output = True
    graph.add(logits)
    return graph


def _embedded(graph: Graph, leafs: Leafs) -> Node:
    x = embedded(graph, leafs)
    return tensor("scale", x.shape, x) if _is_gemma(leafs) else x


def _block(graph: Graph, leafs: Leafs, layer: int, x: Node) -> Node:
    own = norm(leafs, layer, x, "attn_norm.weight")
    attend = latent_attention if leafs.model.is_mla else attention
    attended = attend(graph, leafs, layer, own)
    last = layer == leafs.model.layers - 1
    if last:  # only the rows that are needed go on
        attended, x = _kept(leafs, attended), _kept(leafs, x)
    if _is_gemma(leafs) and leafs.has(layer, "post_attention_norm.weight"):
        attended = norm(leafs, layer, attended, "post_attention_norm.weight")
    after = tensor("add", attended.shape, attended, x)
    has_own = leafs.has(layer, "ffn_norm.weight")
    own = norm(leafs, layer, after, f"{'ffn' if has_own else 'post_attention'}_norm.weight")
    if leafs.has(layer, "ffn_gate_inp.weight"):
        out = experts(graph, leafs, layer, own)
    else:
        out = feed_forward(leafs, layer, own)
    if leafs.has(layer, "post_ffw_norm.weight"):
        out = norm(leafs, layer, out, "post_ffw_norm.weight")
    return tensor("add", out.shape, out, after)


def _kept(leafs: Leafs, x: Node) -> Node:
    return tensor("get_rows", (x.shape[0], leafs.sizes.outputs), x, leafs.kept_rows)


def _is_gemma(leafs: Leafs) -> bool:
    return leafs.model.architecture.startswith("gemma")
