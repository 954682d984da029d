"""YAML as a tree of the places where it is written: nothing is expanded, merged or resolved.

Offsets are characters from the beginning of the text. The end of a node in block style is the end
of what was written last in it, without the comments and blank lines that follow.
"""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml


@dataclass(frozen=True)
class Leaf:
    """A scalar, or an alias; `style` is the quote or the `|` that begins it, `*` of an alias."""

    start: int
    end: int
    style: str


@dataclass(frozen=True)
class EntrySpan:
    """`colon` is the place behind the key's colon."""

    key: str
    start: int
    colon: int
    value: "Span"


@dataclass(frozen=True)
class MapSpan:
    start: int
    end: int
    is_flow: bool
    entries: tuple[EntrySpan, ...]

    def entry(self, key: str) -> EntrySpan | None:
        return next((entry for entry in self.entries if entry.key == key), None)


@dataclass(frozen=True)
class ItemSpan:
    """`start` is the dash of an item in block style."""

    start: int
    value: "Span"


@dataclass(frozen=True)
class ListSpan:
    start: int
    end: int
    is_flow: bool
    items: tuple[ItemSpan, ...]


Span = Leaf | MapSpan | ListSpan


def spans(text: str) -> Span | None:
    """None where no document is written. Raises yaml.YAMLError."""
    return _Reader(text).document()


class _Reader:
    """By PyYAML's own parser: its marks count characters in every version."""

    def __init__(self, text: str) -> None:
        tokens = list(yaml.scan(text, Loader=yaml.SafeLoader))
        self.dashes = [
            int(t.start_mark.index) for t in tokens if isinstance(t, yaml.BlockEntryToken)
        ]
        self.colons = [int(t.end_mark.index) for t in tokens if isinstance(t, yaml.ValueToken)]
        self.events: Iterator[yaml.Event] = yaml.parse(text, Loader=yaml.SafeLoader)

    def document(self) -> Span | None:
        for event in self.events:
            if isinstance(event, yaml.DocumentStartEvent):
                return self.node(next(self.events))
        return None

    def node(self, event: yaml.Event) -> Span:
        start, end = _index(event.start_mark), _index(event.end_mark)
        if isinstance(event, yaml.MappingStartEvent):
            return self.map(start, end, bool(event.flow_style))
        if isinstance(event, yaml.SequenceStartEvent):
            return self.list(start, end, bool(event.flow_style))
        if isinstance(event, yaml.ScalarEvent):
            return Leaf(start, end, event.style or "")
        return Leaf(start, end, "*")

    def map(self, start: int, end: int, is_flow: bool) -> MapSpan:
        entries: list[EntrySpan] = []
        for event in self.events:
            if isinstance(event, yaml.MappingEndEvent):
                end = _index(event.end_mark) if is_flow else end
                break
            key = event.value if isinstance(event, yaml.ScalarEvent) else ""
            at = self.node(event)
            value = self.node(next(self.events))
            end = max(end, value.end)
            entries.append(EntrySpan(key, at.start, self.colon(at.end), value))
        return MapSpan(start, end, is_flow, tuple(entries))

    def colon(self, key_end: int) -> int:
        at = bisect_left(self.colons, key_end)
        return self.colons[at] if at < len(self.colons) else key_end

    def list(self, start: int, end: int, is_flow: bool) -> ListSpan:
        items: list[ItemSpan] = []
        for event in self.events:
            if isinstance(event, yaml.SequenceEndEvent):
                end = _index(event.end_mark) if is_flow else end
                break
            value = self.node(event)
            end = max(end, value.end)
            items.append(ItemSpan(value.start if is_flow else self.dash(value.start), value))
        return ListSpan(start, end, is_flow, tuple(items))

    def dash(self, item: int) -> int:
        """The dash before an item; the one of an item without a value ends where that begins."""
        return self.dashes[bisect_left(self.dashes, item) - 1]


def _index(mark: Any) -> int:
    """Of an event, which the parser marks all."""
    return int(mark.index)
