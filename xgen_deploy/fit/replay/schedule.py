"""Which device computes what, and where the graph is cut. As ggml-backend.cpp,
`ggml_backend_sched_split_graph`.

Devices are numbered from 0; the host is the last one, one beyond them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from xgen_deploy.fit.replay.graph import Graph, Node

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
    """`places` is the device of every tensor by identity. `copies` are those of inputs, by input
    and device; of each there are several where splits run ahead of each other."""

    splits: list[Split]
    places: dict[int, int]
    copies: dict[tuple[int, int], list[Node]]
    graph_inputs: list[Node]


def schedule(
    graph: Graph,
    devices: int,
    *,
    moves: bool,
    supports: Callable[[int, Node], bool],
    ahead: bool,
) -> Schedule:
    """`moves`: operations on weights of the host go to the first device. `supports` tells whether a
    device can compute something; the host can everything. `ahead`: several batches at a time."""
    return _Scheduler(graph, devices, moves=moves, supports=supports, ahead=ahead).run()


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
        self._of: dict[int, int] = {}

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
            self._set(leaf, self._natural(leaf))
        for node in self._graph.nodes:
            if id(node) not in self._of:
                pinned = node.pinned
                self._set(node, self._natural(node) if pinned is None else pinned)
            for src in node.srcs:
                if id(src) not in self._of:
                    self._set(src, self._natural(src) if src.pinned is None else src.pinned)

    def _set(self, node: Node, device: int | None) -> None:
        if device is not None:
            self._of[id(node)] = device

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
            device = self._of.get(id(node))
            if device is not None:
                current = device if host_too or device != self._host else None
            elif current is not None and self._supports(current, node):
                self._of[id(node)] = current

    def _by_most_inputs(self) -> None:
        for node in self._graph.nodes:
            if node.op == "view" or id(node) in self._of:
                continue
            best, most = None, -1
            for device in range(self._host + 1):
                if self._supports(device, node):
                    count = sum(self._readable(src, device) for src in node.srcs)
                    if count > most:
                        best, most = device, count
            self._set(node, best)

    def _rest(self) -> None:
        for node in self._graph.nodes:
            if node.view_of is not None and id(node) not in self._of:
                self._set(node, self._of.get(id(node.view_of)))
            own = self._of.get(id(node))
            for src in node.srcs:
                if id(src) not in self._of:
                    place = self._of.get(id(src.view_of)) if src.view_of is not None else own
                    self._set(src, place)
            if id(node) not in self._of:
                self._of[id(node)] = 0 if self._host else self._host

    def _readable(self, src: Node, device: int) -> bool:
        holder = src.view_of or src
        place = holder.buffer
        if place is None:
            place = self._of.get(id(src), self._of.get(id(holder)))
        return place == device

    def _split(self) -> Schedule:
        copies: dict[tuple[int, int], list[Node]] = {}
        inputs: list[Node] = []
        splits: list[Split] = []
        pending: list[Node] = []
        for node in self._graph.nodes:
            if node.op == "view":
                (splits[-1].nodes if splits else pending).append(node)
                continue
            device = self._of[id(node)]
            if not splits:
                splits.append(Split(device, pending))
            elif device != splits[-1].device or self._needs_cut(node, splits[-1], copies):
                splits.append(Split(device))
            self._copy_inputs(node, splits[-1], copies, inputs)
            splits[-1].nodes.append(node)
        return Schedule(splits, self._of, copies, inputs)

    def _needs_cut(
        self, node: Node, split: Split, copies: dict[tuple[int, int], list[Node]]
    ) -> bool:
        """A weight from elsewhere: cut here, the room of the one before it is free again."""
        if not split.inputs:
            return False
        for src in node.srcs:
            elsewhere = self._of[id(src)] != split.device and not self._readable(src, split.device)
            if src.weight and elsewhere:
                return True
            full = len(split.inputs) >= _MOST_INPUTS
            if full and elsewhere and (id(src), split.device) not in copies:
                return True
        return False

    def _copy_inputs(
        self,
        node: Node,
        split: Split,
        copies: dict[tuple[int, int], list[Node]],
        inputs: list[Node],
    ) -> None:
        for at, src in enumerate(node.srcs):
            own = self._of[id(src)]
            if src.is_input and self._ahead and (id(src), own) not in copies:
                several = [src, *(_copy(src, ahead=True) for _ in range(COPIES - 1))]
                src.is_output = True
                copies[id(src), own] = several
                inputs.append(src)
            if own == split.device or self._readable(src, split.device):
                continue
            key = (id(src), split.device)
            if key not in copies:
                count = COPIES if self._ahead else 1
                copies[key] = [_copy(src, ahead=self._ahead) for _ in range(count)]
                for copy in copies[key]:
                    self._of[id(copy)] = split.device
                split.inputs.append(src)
            node.srcs[at] = copies[key][0]


def _copy(of: Node, *, ahead: bool) -> Node:
    size = of.size
    if of.view_of is not None:
        count = 1
        for part in of.shape:
            count *= part
        size = int(count * of.kind)
    return Node(
        "none",
        of.shape,
        of.kind,
        size=size,
        device_size=of.device_size,
        is_input=ahead,
        is_output=ahead,
    )
