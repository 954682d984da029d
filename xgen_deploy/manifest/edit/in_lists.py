"""Items of a list: put at its end, taken out."""

from xgen_deploy.manifest.edit.in_maps import in_flow, out_of_flow
from xgen_deploy.manifest.edit.spans import ListSpan, MapSpan
from xgen_deploy.manifest.edit.text import (
    CannotEdit,
    Splice,
    begins_line,
    column,
    lines_after,
    whole_lines,
)
from xgen_deploy.manifest.edit.values import block_item
from xgen_deploy.manifest.yaml_text import yaml_line


def appended(text: str, parent: ListSpan, value: object) -> list[Splice]:
    """To a list with items, in the style of the last one."""
    if parent.is_flow:
        return [in_flow(text, parent, yaml_line(value))]
    last = parent.items[-1]
    if not begins_line(text, last.start):
        raise CannotEdit("the list begins in the same line as something else")
    at = column(text, last.start)
    in_brackets = isinstance(last.value, MapSpan) and last.value.is_flow
    lines = [f"{' ' * at}- {yaml_line(value)}"] if in_brackets else block_item(value, at)
    return [lines_after(text, parent.end, lines)]


def removed(text: str, parent: ListSpan, at: int) -> list[Splice]:
    item = parent.items[at]
    if parent.is_flow:
        return [out_of_flow(text, parent.items, at)]
    if not begins_line(text, item.start):
        raise CannotEdit("the list begins in the same line as something else")
    return [whole_lines(text, item.start, item.value.end)]
