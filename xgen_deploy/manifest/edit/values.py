"""How a value is written in the place that it gets."""

from collections.abc import Mapping, Sequence

from xgen_deploy.manifest.edit.spans import Leaf, Span
from xgen_deploy.manifest.yaml_text import yaml_line

STEP = 2  # to the right, of what stands under a key


def in_place_of(old: Span, value: object) -> str:
    """On one line; text keeps the quotes that are there."""
    if isinstance(value, str) and isinstance(old, Leaf):
        if old.style == "'" and value.isprintable():
            return "'" + value.replace("'", "''") + "'"
        if old.style == '"' and value.isprintable():
            return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return yaml_line(value)


def is_block(value: object) -> bool:
    """A list of maps is written with a line for each field."""
    items = value.values() if isinstance(value, Mapping) else ()
    return _has_maps(value) or any(is_block(item) for item in items)


def _has_maps(value: object) -> bool:
    return isinstance(value, list) and any(isinstance(item, Mapping) for item in value)


def entry_lines(key: str, value: object, column: int, step: int = STEP) -> list[str]:
    """`step` is how far to the right the dashes of a list stand."""
    head = f"{' ' * column}{yaml_line(key)}:"
    if not is_block(value):
        return [f"{head} {yaml_line(value)}"]
    return [head, *below(value, column, step)]


def below(value: object, column: int, step: int = STEP) -> list[str]:
    """Lines of what stands under a key in that column."""
    if isinstance(value, Mapping):
        entries = value.items()
        return [line for key, item in entries for line in entry_lines(key, item, column + STEP)]
    return block_items(value if isinstance(value, list) else [value], column + step)


def block_items(values: Sequence[object], column: int) -> list[str]:
    """Lines of a list whose dashes are in that column."""
    return [line for value in values for line in block_item(value, column)]


def block_item(value: object, column: int) -> list[str]:
    indent = " " * column
    if not isinstance(value, Mapping) or not value:
        return [f"{indent}- {yaml_line(value)}"]
    lines = [f"{indent}  {yaml_line(key)}: {yaml_line(item)}" for key, item in value.items()]
    return [f"{indent}- {lines[0].lstrip()}", *lines[1:]]
