"""How much room a graph's temporaries take on each device. As ggml-alloc.c: best fit over free
blocks, neighbours merged, results in the place of inputs that nobody else reads.
"""

from bisect import bisect_left
from collections.abc import Callable, Sequence

from xgen_deploy.fit.replay.graph import IN_PLACE, Node
from xgen_deploy.fit.replay.schedule import Schedule, placed

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
        order, first = self._sequence(leafs)
        for leaf in first:
            self._give_room(leaf)
        for node in order:
            self._count(node)
        for node in order:
            for src in node.srcs:
                self._give_room(src)
            self._give_room(node)
            for src in node.srcs:
                self._release(src)

    def _sequence(self, leafs: Sequence[Node]) -> tuple[list[Node], list[Node]]:
        """All in the order in which they are given room, and what is before."""
        copies = self._schedule.copies
        order: list[Node] = []
        first: list[Node] = []
        for split in self._schedule.splits:
            for item in split.inputs:
                holder = item.view_of or item
                order.append(Node("none", item.shape, srcs=[item], view_of=holder))
                order.append(copies[item, split.device][0])
            order += split.nodes
        for item in self._schedule.graph_inputs:
            first += copies[item, placed(item)]
        for split in self._schedule.splits:
            for item in split.inputs:
                several = copies[item, split.device]
                first += several if len(several) > 1 else ()
        return order, [*first, *leafs]

    def _count(self, node: Node) -> None:
        if node.view_of is not None and node.op != "none":
            node.view_of.views += 1
        if node.is_input:
            self._give_room(node)
        for src in node.srcs:
            src.readers += 1
            if src.is_input:
                self._give_room(src)

    def _give_room(self, node: Node) -> None:
        """Once, to what has data of its own that lies nowhere yet."""
        if node.given or node.view_of is not None or node.buffer is not None:
            return
        node.given = True
        if node.op in IN_PLACE and self._takes_place(node):
            return
        device = placed(node)
        size = self._size_on(node, device)
        node.room = device, *self._rooms[device].take(size), size

    def _takes_place(self, node: Node) -> bool:
        for parent in node.srcs:
            if parent.room is None or parent.is_output or parent.readers != 1 or parent.views:
                continue
            if node.shape == parent.shape and node.kind == parent.kind:
                node.room, parent.room = parent.room, None
                return True
        return False

    def _release(self, node: Node) -> None:
        node.readers -= 1
        if node.readers or node.views:
            return
        holder = node.view_of or node
        if holder is not node:
            holder.views -= 1
            if holder.views or holder.readers:
                return
        if holder.room is None or holder.is_output:
            return
        device, chunk, offset, size = holder.room
        holder.room = None
        self._rooms[device].give((chunk, offset), size)
