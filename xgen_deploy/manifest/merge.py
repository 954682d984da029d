"""Merge one tree over another: maps merge, lists replace, null resets, placements go by name."""

from xgen_deploy.manifest.node import Entry, ListNode, MapNode, Node, ScalarNode

WHOLE = frozenset(
    {"api_key", "source", "image", "webhook", "password", "token", "heartbeat", "admin_password"}
)
_WHOLE_IN = frozenset({"env", "images", "users"})


def merged(base: Node, over: Node, path: tuple[str, ...] = ()) -> Node:
    """`over` wins. A map that is one value (a secret, a source, an image) replaces as a whole.

    A null in `over` stays null, so that it also resets values in later merges.
    """
    if isinstance(base, MapNode) and isinstance(over, MapNode) and not _is_value(path):
        return merged_maps(base, over, path)
    if _holds_placements(path) and isinstance(base, ListNode) and isinstance(over, ListNode):
        return placements(base, over)
    return over


def merged_maps(base: MapNode, over: MapNode, path: tuple[str, ...] = ()) -> MapNode:
    entries = dict(base.entries)
    for key, entry in over.entries.items():
        below = entries.get(key)
        node = merged(below.node, entry.node, (*path, key)) if below else entry.node
        entries[key] = Entry(entry.mark, node)
    return MapNode(entries, over.mark)


def placements(base: ListNode, over: ListNode) -> ListNode:
    """Merged by instance name, in the base's order, new ones last; an empty list clears."""
    if not over.items:
        return over
    items = list(base.items)
    free = {name: at for at, item in reversed(list(enumerate(items))) if (name := instance(item))}
    for item in over.items:
        at = free.pop(instance(item), None)
        if at is None:
            items.append(item)
        else:
            items[at] = merged(items[at], item)
    return ListNode(tuple(items), over.mark)


def instance(placement: Node) -> str:
    """A placement's instance name: `name`, else `model`; "" where it has neither."""
    for key in ("name", "model"):
        node = placement.get(key) if isinstance(placement, MapNode) else None
        if isinstance(node, ScalarNode) and isinstance(node.value, str):
            return node.value
    return ""


def _holds_placements(path: tuple[str, ...]) -> bool:
    return len(path) == 2 and path[0] == "hosts"


def _is_value(path: tuple[str, ...]) -> bool:
    if len(path) == 2 and path[0] in ("models", "hosts"):
        return False
    return bool(path) and (path[-1] in WHOLE or (len(path) > 1 and path[-2] in _WHOLE_IN))
