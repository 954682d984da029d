"""A manifest with everything it extends, merged into one tree."""

import os
from pathlib import Path

from xgen_deploy.manifest.diagnostics import ManifestError, Problems, failure
from xgen_deploy.manifest.error_messages import describe
from xgen_deploy.manifest.file_text import Files, beside
from xgen_deploy.manifest.marked_yaml import parse
from xgen_deploy.manifest.merge import merged_maps
from xgen_deploy.manifest.node import Entry, ListNode, MapNode, ScalarNode, is_null
from xgen_deploy.manifest.scalars import core

MAX_FILES = 100


def read_manifest(path: str, files: Files, problems: Problems) -> MapNode:
    """The merged tree, without `extends:` and `x-…`. Raises ManifestError where a file cannot be
    read at all."""
    return _read(path, files, problems, ())


def _read(path: str, files: Files, problems: Problems, above: tuple[str, ...]) -> MapNode:
    if len(files.read) >= MAX_FILES:
        raise failure(path, f"`extends:` reads more than {MAX_FILES} files")
    root = parse(path, files.text(path), core, problems)
    if root is None:
        raise failure(path, "this manifest is empty; it needs at least project, models and hosts")
    if not isinstance(root, MapNode):
        message = f"a manifest is a map of keys and values; found {describe(root)}"
        raise failure(path, message, root.mark.line, 1)
    tree = MapNode({key: entry for key, entry in root.entries.items() if _counts(key)}, root.mark)
    base: MapNode | None = None
    for node in _parents(root.entries.get("extends"), problems):
        parent = _parent(path, node, files, problems, (*above, os.path.realpath(path)))
        if parent is not None:
            base = parent if base is None else merged_maps(base, parent)
    return tree if base is None else merged_maps(base, tree)


def _counts(key: str) -> bool:
    return key != "extends" and not key.startswith("x-")


def _parents(entry: Entry | None, problems: Problems) -> list[ScalarNode]:
    if entry is None or is_null(entry.node):
        return []
    nodes = entry.node.items if isinstance(entry.node, ListNode) else (entry.node,)
    paths: list[ScalarNode] = []
    for node in nodes:
        if isinstance(node, ScalarNode) and isinstance(node.value, str) and node.value:
            paths.append(node)
        else:
            message = f"extends: found {describe(node)}; expected a path or a list of paths"
            problems.add(node.mark, message)
    return paths


def _parent(
    path: str, node: ScalarNode, files: Files, problems: Problems, above: tuple[str, ...]
) -> MapNode | None:
    target = beside(path, node.text)
    if os.path.realpath(target) in above:
        problems.add(node.mark, f"{node.text} extends this file in turn; remove one `extends:`")
        return None
    if not Path(target).exists():
        problems.add(node.mark, f"there is no file {target} to extend")
        return None
    try:
        return _read(target, files, problems, above)
    except ManifestError as error:
        problems.found += error.problems
        return None
