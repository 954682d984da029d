"""Which device computes what, and where the graph is cut. As ggml-backend.cpp,
`ggml_backend_sched_split_graph`.

Devices are numbered from 0; the host is the last one, one beyond them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from xgen_deploy.fit.replay.graph import Graph, Node, elements

_OFFLOADED_ROWS = 32
_MOST_INPUTS = 30
COPIES = 4


@dataclass
class Split:
    device: int
    nodes: list[Node] = field(default_factory=list)
    inputs: list[Node] = field(default_factory=list)


@dataclass
class Schedule:
    """Every tensor has its place. `copies` are those of inputs, by input and device; of each there
    are several where splits run ahead of each other."""

    splits: list[Split]
    copies: dict[tuple[Node, int], list[Node]]
    graph_inputs: list[Node]


def schedule(
    graph: Graph,
    devices: int,
    *,
    moves: bool,
    supports: Callable[[int, Node], bool],
    ahead: bool,
    unread: bool,
) -> Schedule:
    """`moves`: operations on weights of the host go to the first device. `supports` tells whether a
    device can compute something; the host can everything. `ahead`: several batches at a time;
    `unread`: there is room in each for inputs that nothing reads, too."""
    planned = _Scheduler(graph, devices, moves=moves, supports=supports, ahead=ahead).run()
    if ahead and unread:
        for leaf in graph.leafs:
            if leaf.is_input:
                _copy_for_batches(planned.copies, planned.graph_inputs, leaf)
    return planned


class _Scheduler:
    def __init__(
        self,
        graph: Graph,
        devices: int,
        *,
        moves: bool,
        supports: Callable[[int, Node], bool],
        ahead: bool,
    ) -> None:
        self._graph, self._host = graph, devices
        self._moves, self._ahead = moves, ahead
        self._on_device = supports
        self._copies: dict[tuple[Node, int], list[Node]] = {}
        self._inputs: list[Node] = []

    def _supports(self, device: int, node: Node) -> bool:
        return device == self._host or self._on_device(device, node)

    def run(self) -> Schedule:
        self._from_buffers()
        self._expand(self._graph.nodes, host_too=False)
        self._expand(self._graph.nodes[::-1], host_too=False)
        self._expand(self._graph.nodes, host_too=True)
        self._expand(self._graph.nodes[::-1], host_too=True)
        self._by_most_inputs()
        self._rest()
        return self._split()

    def _from_buffers(self) -> None:
        for leaf in self._graph.leafs:
            leaf.place = self._natural(leaf)
        for node in self._graph.nodes:
            for each in (node, *node.srcs):
                if each.place is None:
                    each.place = self._natural(each) if each.pinned is None else each.pinned

    def _natural(self, node: Node) -> int | None:
        """Where a tensor lies already, or its operation belongs."""
        holder = node.view_of or node
        if holder.buffer is not None:
            return holder.buffer
        if node.is_input:
            return self._host
        for src in node.srcs:
            if node.op == "rope" or not src.weight or src.buffer is None:
                continue
            if src.buffer == self._host and self._is_worth_moving(node):
                for device in range(self._host):
                    if self._supports(device, node):
                        return device
            return src.buffer if self._supports(src.buffer, node) else None
        return None

    def _is_worth_moving(self, node: Node) -> bool:
        """To a device, although its weights have to be copied there."""
        return self._moves and node.op != "get_rows" and node.rows >= _OFFLOADED_ROWS

    def _expand(self, nodes: Sequence[Node], *, host_too: bool) -> None:
        current: int | None = None
        for node in nodes:
            if node.op == "view":
                continue
            if node.place is not None:
                current = node.place if host_too or node.place != self._host else None
            elif current is not None and self._supports(current, node):
                node.place = current

    def _by_most_inputs(self) -> None:
        for node in self._graph.nodes:
            if node.op == "view" or node.place is not None:
                continue
            most = -1
            for device in range(self._host + 1):
                if self._supports(device, node):
                    count = sum(_lies_on(src, device) for src in node.srcs)
                    if count > most:
                        node.place, most = device, count

    def _rest(self) -> None:
        for node in self._graph.nodes:
            if node.view_of is not None and node.place is None:
                node.place = node.view_of.place
            for src in node.srcs:
                if src.place is None:
                    src.place = node.place if src.view_of is None else src.view_of.place
            if node.place is None:
                node.place = 0 if self._host else self._host

    def _split(self) -> Schedule:
        splits: list[Split] = []
        pending: list[Node] = []
        for node in self._graph.nodes:
            if node.op == "view":
                (splits[-1].nodes if splits else pending).append(node)
                continue
            if not splits:
                splits.append(Split(placed(node), pending))
            elif node.place != splits[-1].device or self._needs_cut(node, splits[-1]):
                splits.append(Split(placed(node)))
            self._copy_inputs(node, splits[-1])
            splits[-1].nodes.append(node)
        return Schedule(splits, self._copies, self._inputs)

    def _needs_cut(self, node: Node, split: Split) -> bool:
        """A weight from elsewhere: cut here, the room of the one before it is free again."""
        if not split.inputs:
            return False
        full = len(split.inputs) >= _MOST_INPUTS
        return any(
            (src.weight or (full and (src, split.device) not in self._copies))
            and _is_elsewhere(src, split.device)
            for src in node.srcs
        )

    def _copy_inputs(self, node: Node, split: Split) -> None:
        for at, src in enumerate(node.srcs):
            if src.is_input and self._ahead:
                _copy_for_batches(self._copies, self._inputs, src)
            if not _is_elsewhere(src, split.device):
                continue
            key = (src, split.device)
            if key not in self._copies:
                count = COPIES if self._ahead else 1
                self._copies[key] = _copies(src, split.device, count, ahead=self._ahead)
                split.inputs.append(src)
            node.srcs[at] = self._copies[key][0]


def _copy_for_batches(
    copies: dict[tuple[Node, int], list[Node]], inputs: list[Node], leaf: Node
) -> None:
    """Once, where the input lies itself."""
    own = placed(leaf)
    if (leaf, own) not in copies:
        copies[leaf, own] = [leaf, *_copies(leaf, own, COPIES - 1, ahead=True)]
        leaf.is_output = True
        inputs.append(leaf)


def placed(node: Node) -> int:
    """Its device, once it has one."""
    if node.place is None:
        raise LookupError("a tensor has no device yet")
    return node.place


def _lies_on(src: Node, device: int) -> bool:
    holder = src.view_of or src
    if holder.buffer is not None:
        return holder.buffer == device
    return device == (holder.place if src.place is None else src.place)


def _is_elsewhere(src: Node, device: int) -> bool:
    return src.place != device and not _lies_on(src, device)


def _copies(of: Node, device: int, count: int, *, ahead: bool) -> list[Node]:
    size = of.size if of.view_of is None else int(elements(of.shape) * of.kind)
    return [
        Node(
            "none",
            of.shape,
            of.kind,
            size=size,
            device_size=of.device_size,
            is_input=ahead,
            is_output=ahead,
            place=device,
        )
        for _ in range(count)
    ]
