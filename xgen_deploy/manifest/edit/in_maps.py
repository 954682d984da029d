"""Entries of a map: put in, replaced, taken out."""

from collections.abc import Sequence

from xgen_deploy.manifest.edit.spans import EntrySpan, ItemSpan, Leaf, ListSpan, MapSpan, Span
from xgen_deploy.manifest.edit.text import (
    CannotEdit,
    Splice,
    begins_line,
    column,
    line_end,
    line_start,
    lines_after,
    lines_instead,
    refuse_comments,
    whole_lines,
)
from xgen_deploy.manifest.edit.values import (
    STEP,
    below,
    block_items,
    entry_lines,
    in_place_of,
    is_block,
)
from xgen_deploy.manifest.yaml_text import yaml_line


def inserted(text: str, parent: MapSpan, key: str, value: object) -> list[Splice]:
    """A new entry, the last one."""
    if parent.is_flow:
        return [in_flow(text, parent, f"{yaml_line(key)}: {yaml_line(value)}")]
    at = column(text, parent.entries[0].start)
    return [lines_after(text, parent.end, entry_lines(key, value, at, _step(text, parent)))]


def in_flow(text: str, parent: MapSpan | ListSpan, new: str) -> Splice:
    """Between the brackets, after what is there: on a line of its own where the last one is."""
    parts = parent.entries if isinstance(parent, MapSpan) else parent.items
    if not parts:
        return Splice(parent.start + 1, parent.end - 1, new)
    last = parts[-1]
    end = last.value.end
    if begins_line(text, last.start):
        refuse_comments(text, end, parent.end)
        indent = text[line_start(text, last.start) : last.start]
        return Splice(end, end, f",{line_end(text)}{indent}{new}")
    return Splice(end, end, f", {new}")


def _step(text: str, parent: MapSpan) -> int:
    """How far to the right of its key a list stands, as the first one in this map does."""
    for entry in parent.entries:
        if isinstance(entry.value, ListSpan) and not entry.value.is_flow and entry.value.items:
            return column(text, entry.value.items[0].start) - column(text, entry.start)
    return STEP


def replaced(text: str, parent: MapSpan, entry: EntrySpan, value: object) -> list[Splice]:
    """The value of an entry that is there."""
    old = entry.value
    if is_block(value) and not parent.is_flow:
        if _is_block(old) or text[entry.colon : old.start].strip(" "):
            raise CannotEdit("its value begins in another line than its key")
        lines = below(value, column(text, entry.start), _step(text, parent))
        return [Splice(entry.colon, old.end), lines_after(text, old.end, lines)]
    if _is_block(old):
        return _for_block(text, entry, old, value)
    space = " " * (old.start == old.end and text[old.start - 1 : old.start] in (":", "-"))
    end = len(text[: old.end].rstrip("\r\n")) if text[old.start : old.end].strip() else old.end
    return [Splice(old.start, end, space + in_place_of(old, value))]


def _is_block(span: Span) -> bool:
    return not isinstance(span, Leaf) and not span.is_flow


def _for_block(text: str, entry: EntrySpan, old: Span, value: object) -> list[Splice]:
    """A list keeps its style, unless nothing is left of it; anything else takes one line."""
    if not begins_line(text, old.start):
        raise CannotEdit("its value begins in the same line as something else")
    if isinstance(old, ListSpan) and isinstance(value, list) and value:
        refuse_comments(text, old.start, old.end)
        lines = block_items(value, column(text, old.items[0].start))
        return [lines_instead(text, old.start, old.end, lines)]
    return [
        Splice(entry.colon, entry.colon, f" {yaml_line(value)}"),
        whole_lines(text, old.start, old.end),
    ]


def taken_out(text: str, parent: MapSpan, entry: EntrySpan) -> list[Splice]:
    at = parent.entries.index(entry)
    if parent.is_flow:
        return [out_of_flow(text, parent.entries, at)]
    if begins_line(text, entry.start):
        return [whole_lines(text, entry.start, entry.value.end)]
    if at + 1 == len(parent.entries):
        raise CannotEdit("nothing would be left in its place")
    following = parent.entries[at + 1].start
    below = text.find("\n", entry.value.end)
    refuse_comments(text, below, following)
    return [Splice(entry.start, following)]


def out_of_flow(text: str, parts: Sequence[EntrySpan | ItemSpan], at: int) -> Splice:
    """One of what stands between brackets, with the comma that is then too many."""
    part = parts[at]
    if at + 1 < len(parts):
        splice = Splice(part.start, parts[at + 1].start)
    else:
        splice = Splice(parts[at - 1].value.end if at else part.start, part.value.end)
    refuse_comments(text, splice.start, splice.end)
    return splice
