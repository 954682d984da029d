"""What a batch brings: tokens that are looked up, and room for embeddings that are given instead,
or for both side by side (llama-graph.cpp, build_inp_embd). Room for all of them is reserved always.
"""

from xgen_deploy.fit.replay.graph import F32, I32, I64, Graph, Node, graph_input, tensor
from xgen_deploy.fit.replay.leafs import Leafs


def embedded(graph: Graph, leafs: Leafs) -> Node:
    """A row for each token."""
    width, count = leafs.model.width, leafs.sizes.tokens
    rows = graph.add(_looked_up(leafs))
    graph.add(graph_input((width, count), F32))
    if leafs.settings.mixes_inputs:
        graph.add(_mixed(leafs))
    return rows


def _looked_up(leafs: Leafs) -> Node:
    width, count = leafs.model.width, leafs.sizes.tokens
    tokens = graph_input((count,), I32)
    return tensor("get_rows", (width, count), leafs.table("token_embd.weight"), tokens)


def _mixed(leafs: Leafs) -> Node:
    """Rows of tokens, written between the embeddings."""
    width, count = leafs.model.width, leafs.sizes.tokens
    rows, places = _looked_up(leafs), graph_input((count,), I64)
    given = tensor("cont", (width, count), graph_input((width, count), F32))
    return Node("set_rows", given.shape, F32, [rows, places, given], view_of=given, rows=rows.rows)
