"""A YAML document as values with the place where each was written."""

from collections.abc import Iterator
from dataclasses import dataclass

from xgen_deploy.state.instance_config import Mark

Path = tuple[str | int, ...]
Value = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class ScalarNode:
    """`text` is the value as written; `tag` is an application tag such as `!vault`, or ""."""

    value: Value
    text: str
    mark: Mark
    tag: str = ""


@dataclass(frozen=True, slots=True)
class ListNode:
    items: "tuple[Node, ...]"
    mark: Mark
    tag: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """`mark` is the key's; the value has its own."""

    mark: Mark
    node: "Node"


@dataclass(frozen=True, slots=True)
class MapNode:
    entries: dict[str, Entry]
    mark: Mark
    tag: str = ""

    def get(self, key: str) -> "Node | None":
        entry = self.entries.get(key)
        return entry.node if entry else None

    def key_mark(self, key: str) -> Mark:
        """The key's mark; the map's own where it has no such key."""
        entry = self.entries.get(key)
        return entry.mark if entry else self.mark


Node = ScalarNode | ListNode | MapNode


def is_null(node: Node | None) -> bool:
    return node is None or (isinstance(node, ScalarNode) and node.value is None)


def scalars(node: Node) -> Iterator[ScalarNode]:
    """The values in a tree, in their order; keys are none."""
    if isinstance(node, ScalarNode):
        yield node
        return
    under = (e.node for e in node.entries.values()) if isinstance(node, MapNode) else node.items
    for child in under:
        yield from scalars(child)


def plain(node: Node) -> object:
    """The same as dicts, lists and scalars."""
    if isinstance(node, MapNode):
        return {key: plain(entry.node) for key, entry in node.entries.items()}
    if isinstance(node, ListNode):
        return [plain(item) for item in node.items]
    return node.value


def without_nulls(node: MapNode) -> MapNode:
    """Keys whose value is null are dropped, at every depth: null means not stated."""
    kept = {
        key: Entry(entry.mark, _stated(entry.node))
        for key, entry in node.entries.items()
        if not is_null(entry.node)
    }
    return MapNode(kept, node.mark, node.tag)


def _stated(node: Node) -> Node:
    if isinstance(node, MapNode):
        return without_nulls(node)
    if isinstance(node, ListNode):
        return ListNode(tuple(_stated(item) for item in node.items), node.mark, node.tag)
    return node


def without(node: MapNode, paths: set[Path]) -> MapNode:
    """The same tree without the nodes at `paths`."""
    kept = {
        key: Entry(entry.mark, _cut(entry.node, key, paths))
        for key, entry in node.entries.items()
        if (key,) not in paths
    }
    return MapNode(kept, node.mark, node.tag)


def _cut(node: Node, step: str | int, paths: set[Path]) -> Node:
    under = {path[1:] for path in paths if path[0] == step and len(path) > 1}
    if isinstance(node, MapNode) and under:
        return without(node, under)
    if isinstance(node, ListNode) and under:
        kept = (_cut(item, at, under) for at, item in enumerate(node.items) if (at,) not in under)
        return ListNode(tuple(kept), node.mark, node.tag)
    return node


def marks_of(node: Node, prefix: str = "") -> Iterator[tuple[str, Mark]]:
    """Dotted keys and where each was written."""
    if isinstance(node, MapNode):
        for key, entry in node.entries.items():
            yield prefix + key, entry.mark
            yield from marks_of(entry.node, f"{prefix}{key}.")
