"""Three changes of a YAML text at a path: put a value, drop what is there, append to a list.

Each leaves every other character as it is. `meant` is the document's data as it is to be
afterwards; a value that replaces an alias or something merged in is taken from there, whole.
"""

from xgen_deploy.manifest.edit.data import get
from xgen_deploy.manifest.edit.in_lists import appended, removed
from xgen_deploy.manifest.edit.in_maps import inserted, replaced, taken_out
from xgen_deploy.manifest.edit.spans import EntrySpan, ListSpan, MapSpan, Span, spans
from xgen_deploy.manifest.edit.text import CannotEdit, Splice, spliced
from xgen_deploy.manifest.edit.values import in_place_of
from xgen_deploy.manifest.node import Path


def put(text: str, path: Path, meant: object) -> str:
    """Raises CannotEdit."""
    way = _way(_root(text), path)
    node, depth = way[-1]
    if isinstance(node, MapSpan) and depth < len(path) and (node.entries or node.is_flow):
        value = get(meant, path[: depth + 1])
        return spliced(text, inserted(text, node, str(path[depth]), value))
    return spliced(text, _instead(text, way, get(meant, path[:depth]), path))


def drop(text: str, path: Path) -> str:
    """Raises CannotEdit."""
    way = _way(_root(text), path)
    if way[-1][1] < len(path):
        raise CannotEdit("it is not written there")
    parent, step = way[-2][0], path[-1]
    if isinstance(parent, ListSpan) and isinstance(step, int):
        return spliced(text, removed(text, parent, step))
    return spliced(text, taken_out(text, *_entry(parent, step)))


def append(text: str, path: Path, meant: object) -> str:
    """Raises CannotEdit."""
    node, depth = _way(_root(text), path)[-1]
    if depth < len(path) or not isinstance(node, ListSpan) or not node.items:
        return put(text, path, meant)
    items = get(meant, path)
    return spliced(text, appended(text, node, items[-1] if isinstance(items, list) else None))


def _root(text: str) -> Span:
    root = spans(text)
    if root is None:
        raise CannotEdit("the file is empty")
    return root


def _way(root: Span, path: Path) -> list[tuple[Span, int]]:
    """The nodes from the root towards `path`, as far as they are written, with their depth."""
    way = [(root, 0)]
    for depth, step in enumerate(path, 1):
        node = way[-1][0]
        if isinstance(node, MapSpan) and (entry := node.entry(str(step))) is not None:
            way.append((entry.value, depth))
        elif isinstance(node, ListSpan) and isinstance(step, int) and step < len(node.items):
            way.append((node.items[step].value, depth))
        else:
            break
    return way


def _instead(text: str, way: list[tuple[Span, int]], value: object, path: Path) -> list[Splice]:
    """A value in place of the last node on the way."""
    node, depth = way[-1]
    if depth == 0:
        raise CannotEdit("the manifest is no map of its own")
    parent, step = way[-2][0], path[depth - 1]
    if isinstance(parent, MapSpan):
        return replaced(text, *_entry(parent, step), value)
    if isinstance(node, MapSpan | ListSpan) and not node.is_flow:
        raise CannotEdit("it is written over several lines")
    return [Splice(node.start, node.end, in_place_of(node, value))]


def _entry(parent: Span, step: str | int) -> tuple[MapSpan, EntrySpan]:
    entry = parent.entry(str(step)) if isinstance(parent, MapSpan) else None
    if not isinstance(parent, MapSpan) or entry is None:
        raise CannotEdit("it is not written there")
    return parent, entry
