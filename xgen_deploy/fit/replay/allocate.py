"""How much room a graph's temporaries take on each device. As ggml-alloc.c: best fit over free
blocks, neighbours merged, results in the place of inputs that nobody else reads.
"""

from bisect import bisect_left
from collections.abc import Callable, Sequence

from xgen_deploy.fit.replay.graph import IN_PLACE, Node
from xgen_deploy.fit.replay.schedule import Schedule

_OPEN_END = 1 << 62


class Room:
    """One device's buffer, in chunks of at most `chunk` bytes, unless a single tensor is larger;
    None: one chunk. Places are a chunk's number and an offset in it."""

    def __init__(self, alignment: int, chunk: int | None = None) -> None:
        self._alignment, self._chunk = alignment, chunk
        self._free: list[list[list[int]]] = []
        self._peaks: list[int] = []

    @property
    def peak(self) -> int:
        """Bytes that it takes in the end."""
        return sum(self._peaks)

    def take(self, size: int) -> tuple[int, int]:
        size = self._up(size)
        place = self._hole(size)
        chunk, block = self._at_an_end(size) if place is None else place
        offset = block[0]
        block[0] += size
        block[1] -= size
        if block[1] == 0:
            self._free[chunk].remove(block)
        self._peaks[chunk] = max(self._peaks[chunk], offset + size)
        return chunk, offset

    def give(self, place: tuple[int, int], size: int) -> None:
        size, (chunk, offset) = self._up(size), place
        free = self._free[chunk]
        at = bisect_left(free, [offset, 0])
        free.insert(at, [offset, size])
        if at + 1 < len(free) and offset + size == free[at + 1][0]:
            free[at][1] += free.pop(at + 1)[1]
        if at and free[at - 1][0] + free[at - 1][1] == offset:
            free[at - 1][1] += free.pop(at)[1]

    def _hole(self, size: int) -> tuple[int, list[int]] | None:
        """The smallest free block that is large enough, except the open ends."""
        best: tuple[int, list[int]] | None = None
        for number, free in enumerate(self._free):
            for block in free[:-1]:
                if block[1] >= size and (best is None or block[1] <= best[1][1]):
                    best = number, block
        return best

    def _at_an_end(self, size: int) -> tuple[int, list[int]]:
        """The end of the chunk that has to grow least; else a new chunk."""
        best, best_spare = None, 0
        for number, free in enumerate(self._free):
            if not free or free[-1][1] < size:
                continue
            spare = self._peaks[number] - free[-1][0] - size
            better = spare > best_spare if best_spare < 0 else 0 <= spare < best_spare
            if best is None or better:
                best, best_spare = (number, free[-1]), spare
        if best is not None:
            return best
        room = _OPEN_END if self._chunk is None else max(self._chunk, size)
        self._free.append([[0, room]])
        self._peaks.append(0)
        return len(self._free) - 1, self._free[-1][0]

    def _up(self, size: int) -> int:
        return -(-size // self._alignment) * self._alignment


class Allocation:
    """Of one scheduled graph. `size_on` tells a tensor's bytes on a device."""

    def __init__(
        self,
        schedule: Schedule,
        leafs: Sequence[Node],
        rooms: Sequence[Room],
        size_on: Callable[[Node, int], int],
    ) -> None:
        self._schedule, self._rooms, self._size_on = schedule, rooms, size_on
        self._children: dict[int, int] = {}
        self._views: dict[int, int] = {}
        self._at: dict[int, tuple[int, tuple[int, int], int]] = {}
        self._owned: set[int] = set()
        self._order, first = self._sequence(leafs)
        for leaf, device in first:
            self._allocate(leaf, device)
        for node, device in self._order:
            self._count(node, device)
        for node, device in self._order:
            for src in node.srcs:
                self._allocate(src, device)
            self._allocate(node, device)
            for src in node.srcs:
                self._release(src)

    def _sequence(
        self, leafs: Sequence[Node]
    ) -> tuple[list[tuple[Node, int]], list[tuple[Node, int]]]:
        places, copies = self._schedule.places, self._schedule.copies
        order: list[tuple[Node, int]] = []
        first: list[tuple[Node, int]] = []
        for split in self._schedule.splits:
            for item in split.inputs:
                kept = Node("none", item.shape, item.kind, [item], view_of=item.view_of or item)
                order.append((kept, places[id(item)]))
                order.append((copies[id(item), split.device][0], split.device))
            order += [(node, places[id(node)]) for node in split.nodes]
        for item in self._schedule.graph_inputs:
            place = places[id(item)]
            first += [(copy, place) for copy in copies[id(item), place]]
        for split in self._schedule.splits:
            for item in split.inputs:
                several = copies[id(item), split.device]
                if len(several) > 1:
                    first += [(copy, split.device) for copy in several]
        first += [(leaf, places[id(leaf)]) for leaf in leafs]
        return order, first

    def _count(self, node: Node, device: int) -> None:
        if node.view_of is not None and node.op != "none":
            self._views[id(node.view_of)] = self._views.get(id(node.view_of), 0) + 1
        if node.is_input:
            self._allocate(node, device)
        for src in node.srcs:
            self._children[id(src)] = self._children.get(id(src), 0) + 1
            if src.is_input:
                self._allocate(src, device)

    def _allocate(self, node: Node, device: int) -> None:
        if id(node) in self._at or node.view_of is not None or node.buffer is not None:
            return
        if id(node) in self._owned:
            return
        self._owned.add(id(node))
        if node.op in IN_PLACE and self._takes_place(node):
            return
        size = self._size_on(node, device)
        self._at[id(node)] = (device, self._rooms[device].take(size), size)

    def _takes_place(self, node: Node) -> bool:
        for parent in node.srcs:
            if parent.is_output or id(parent) not in self._at or node.layout != parent.layout:
                continue
            if self._children.get(id(parent), 0) != 1 or self._views.get(id(parent), 0):
                continue
            self._at[id(node)] = self._at.pop(id(parent))
            return True
        return False

    def _release(self, parent: Node) -> None:
        self._children[id(parent)] -= 1
        if self._children[id(parent)] or self._views.get(id(parent), 0):
            return
        holder = parent
        if parent.view_of is not None:
            holder = parent.view_of
            self._views[id(holder)] = self._views.get(id(holder), 0) - 1
            if self._views[id(holder)] or self._children.get(id(holder), 0):
                return
        if holder.is_output or id(holder) not in self._at:
            return
        device, place, size = self._at.pop(id(holder))
        self._rooms[device].give(place, size)
