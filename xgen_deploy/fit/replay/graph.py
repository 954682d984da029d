"""The graph of one batch, as an engine on ggml builds it: tensors by operation, in the order in
which they are computed.
"""

from dataclasses import dataclass, field
from math import prod
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from xgen_deploy.fit.replay.leafs import Leafs

Op = Literal[
    "none", "view", "get_rows", "set_rows", "norm", "mul", "add", "scale", "mul_mat", "mul_mat_id",
    "rope", "flash", "softmax", "glu", "unary", "cont", "cast", "argsort", "sum_rows", "div",
    "clamp", "concat", "layer_norm",
]  # fmt: skip
# May take the place of an input of the same layout (ggml-alloc.c, ggml_op_can_inplace).
IN_PLACE = frozenset({"norm", "mul", "add", "scale", "rope", "softmax", "unary", "div"})
# Bytes of an element.
F32, F16, I32, I64 = 4, 2, 4, 8


@dataclass(eq=False, slots=True)
class Node:
    """`size` is of its own data in bytes, 0 for a view. `rows` is by how much an engine judges
    whether an operation is worth moving to a device. `buffer` is the device that a weight or a
    cache lies on; `weight` tells the first. `shape` and `kind` are its layout; `extra` further
    bytes of its result on a device whose attention copies the cache. `keeps` are results that CUDA
    still reads where it computes this one together with those before it.

    The rest is noted while the graph is replayed: `added` to it; `place`, the device that computes
    it; `readers` and `views` that still need it; whether it was `given` room, and where it has it.
    """

    op: Op
    shape: tuple[int, ...]
    kind: float = F32
    srcs: list["Node"] = field(default_factory=list)
    view_of: "Node | None" = None
    rows: int = 0
    is_input: bool = False
    is_output: bool = False
    weight: bool = False
    buffer: int | None = None
    pinned: int | None = None
    size: int = 0
    device_size: int | None = None
    extra: int = 0
    keeps: tuple["Node", ...] = ()
    place: int | None = None
    readers: int = 0
    views: int = 0
    added: bool = False
    given: bool = False
    room: tuple[int, int, int, int] | None = None


def elements(shape: tuple[int, ...]) -> int:
    return prod(shape)


class Graph:
    """`leafs` are inputs, weights and caches; `nodes` operations, each after what it reads."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.leafs: list[Node] = []

    def add(self, node: Node) -> Node:
        """The node, after what it needs and is not there yet (ggml_build_forward_expand)."""
        if not node.added:
            node.added = True
            for src in node.srcs:
                if not src.added:
                    self.add(src)
            (self.leafs if node.op == "none" else self.nodes).append(node)
        return node


def tensor(op: Op, shape: tuple[int, ...], *srcs: Node, kind: int = F32, **more: object) -> Node:
    node = Node(op, shape, kind, list(srcs), size=elements(shape) * kind, **more)  # type: ignore[arg-type]
    if not node.rows:
        node.rows = elements(shape[1:])
    return node


def view(of: Node, shape: tuple[int, ...]) -> Node:
    base = of.view_of or of
    return Node("view", shape, of.kind, [of], view_of=base, rows=elements(shape[1:]))


def product(weight: Node, x: Node) -> Node:
    """Of a matrix with each row."""
    return tensor("mul_mat", (weight.shape[1], *x.shape[1:]), weight, x)


def norm(leafs: "Leafs", layer: int, x: Node, name: str) -> Node:
    """A block's RMS norm. A real start keeps it on the block's device where all blocks are on
    devices, or the batch is small."""
    plain = tensor("norm", x.shape, x)
    if leafs.pins_norms:
        plain.pinned = leafs.placement.slots[layer]
    return tensor("mul", x.shape, plain, leafs.block(layer, name))


def graph_input(shape: tuple[int, ...], kind: int) -> Node:
    return Node("none", shape, kind, size=elements(shape) * kind, is_input=True)
