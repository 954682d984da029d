"""The same edits of a manifest's data: what the text has to say afterwards."""

from collections.abc import Mapping

from xgen_deploy.manifest.node import Path


def get(data: object, path: Path) -> object:
    """What is there; None where nothing is."""
    for step in path:
        if isinstance(data, Mapping):
            data = data.get(step)
        elif isinstance(data, list) and isinstance(step, int) and step < len(data):
            data = data[step]
        else:
            return None
    return data


def put(data: object, path: Path, value: object) -> object:
    """With the maps on the way to it."""
    if not path:
        return value
    step, rest = path[0], path[1:]
    if isinstance(step, int) and isinstance(data, list):
        return [put(item, rest, value) if at == step else item for at, item in enumerate(data)]
    entries = dict(data) if isinstance(data, Mapping) else {}
    return {**entries, step: put(entries.get(step), rest, value)}


def drop(data: object, path: Path) -> object:
    step, rest = path[0], path[1:]
    if isinstance(data, list):
        kept = ((at, item) for at, item in enumerate(data) if rest or at != step)
        return [drop(item, rest) if at == step else item for at, item in kept]
    if not isinstance(data, Mapping):
        return data
    entries = ((key, item) for key, item in data.items() if rest or key != step)
    return {key: drop(item, rest) if key == step else item for key, item in entries}


def append(data: object, path: Path, value: object) -> object:
    items = get(data, path)
    return put(data, path, [*(items if isinstance(items, list) else ()), value])


def alike(left: object, right: object) -> bool:
    """Equal, and of the same types: 1, 1.0 and true are three values."""
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        return left.keys() == right.keys() and all(alike(left[key], right[key]) for key in left)
    if isinstance(left, list | tuple) and isinstance(right, list | tuple):
        return len(left) == len(right) and all(map(alike, left, right))
    both_nan = left != left and right != right
    return type(left) is type(right) and (left == right or both_nan)
