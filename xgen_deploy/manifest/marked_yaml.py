"""YAML to nodes with their marks; duplicate keys, alias bombs and non-text keys are problems."""

from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from typing import NoReturn

import yaml

from xgen_deploy.manifest.diagnostics import Problems, failure
from xgen_deploy.manifest.node import Entry, ListNode, MapNode, Node, ScalarNode
from xgen_deploy.manifest.scalars import Resolve, by_tag
from xgen_deploy.state.instance_config import Mark

MAX_NODES = 200_000
MAX_DEPTH = 60
_OWN = "tag:yaml.org,2002:"


def parse(file: str, text: str, resolve: Resolve, problems: Problems) -> Node | None:
    """The document in a file; None where it is empty.

    Raises ManifestError at the first syntax error; duplicate keys are added to `problems`.
    """
    try:
        return _Composer(file, _events(text), resolve, problems).document()
    except yaml.MarkedYAMLError as error:
        raise _syntax(file, text, error) from None
    except (yaml.YAMLError, RecursionError) as error:
        raise failure(file, f"this is not YAML: {error}") from None


def _events(text: str) -> Iterator[yaml.Event]:
    """libyaml's events, or the Python parser's where libyaml is missing.

    libyaml scans up to 1024 characters ahead and, from 0.2.6 on, refuses deep nesting there before
    it returns the events that come first. The Python parser has no such limit and takes over then,
    so that `MAX_DEPTH` applies on every PyYAML.
    """
    count = 0
    try:
        for event in yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
            count += 1
            yield event
    except yaml.MarkedYAMLError as error:
        if _opens_many(text, error.problem_mark):
            with suppress(yaml.MarkedYAMLError):
                yield from islice(yaml.parse(text, Loader=yaml.SafeLoader), count, None)
        raise


def _opens_many(text: str, mark: yaml.Mark | None) -> bool:
    if mark is None:
        return False
    line = "".join(text.splitlines()[mark.line : mark.line + 1])
    return line.count("[") + line.count("{") > MAX_DEPTH


class _Composer:
    def __init__(
        self, file: str, events: Iterator[yaml.Event], resolve: Resolve, problems: Problems
    ) -> None:
        self.file = file
        self.events = events
        self.resolve = resolve
        self.problems = problems
        self.anchors: dict[str, tuple[Node, int] | None] = {}
        self.count = 0

    def document(self) -> Node | None:
        root: Node | None = None
        for event in self.events:
            if isinstance(event, yaml.DocumentStartEvent):
                if root is not None:
                    self.fail(event, "a second document begins here; write one per file")
                root = self.node(next(self.events), 0)
        empty = isinstance(root, ScalarNode) and root.text == ""
        return None if empty else root

    def fail(self, event: yaml.Event, message: str) -> NoReturn:
        mark = self.mark(event)
        raise failure(self.file, message, mark.line, mark.column)

    def mark(self, event: yaml.Event) -> Mark:
        start = event.start_mark
        if start is None:
            return Mark(file=self.file, line=1, column=1)
        return Mark(file=self.file, line=start.line + 1, column=start.column + 1)

    def node(self, event: yaml.Event, depth: int) -> Node:
        if depth > MAX_DEPTH:
            self.fail(event, f"nested deeper than {MAX_DEPTH} levels")
        if isinstance(event, yaml.AliasEvent):
            return self.alias(event)
        if not isinstance(event, yaml.NodeEvent):
            self.fail(event, "a value is missing here")
        before = self.count
        self.grow(event, 1)
        anchor = event.anchor
        if anchor is not None:
            self.anchors[anchor] = None
        node = self.build(event, depth)
        if anchor is not None:
            self.anchors[anchor] = (node, self.count - before)
        return node

    def build(self, event: yaml.Event, depth: int) -> Node:
        if isinstance(event, yaml.MappingStartEvent):
            return self.map(event, depth)
        if isinstance(event, yaml.SequenceStartEvent):
            items = tuple(self.items(depth))
            return ListNode(items, self.mark(event), _foreign(event.tag))
        if not isinstance(event, yaml.ScalarEvent):
            self.fail(event, "a value is missing here")
        return self.scalar(event)

    def grow(self, event: yaml.Event, by: int) -> None:
        self.count += by
        if self.count > MAX_NODES:
            self.fail(event, f"more than {MAX_NODES} values once aliases are expanded")

    def alias(self, event: yaml.AliasEvent) -> Node:
        if event.anchor not in self.anchors:
            self.fail(event, f"`*{event.anchor}` refers to an anchor that is not defined above")
        known = self.anchors[event.anchor]
        if known is None:
            self.fail(event, f"`*{event.anchor}` contains itself")
        self.grow(event, known[1])
        return known[0]

    def scalar(self, event: yaml.ScalarEvent) -> ScalarNode:
        mark, text = self.mark(event), event.value
        if event.tag is None or event.tag == "!":
            return ScalarNode(self.resolve(text) if event.implicit[0] else text, text, mark)
        value = by_tag(event.tag, text) if event.tag.startswith(_OWN) else text
        return ScalarNode(value, text, mark, _foreign(event.tag))

    def items(self, depth: int) -> Iterator[Node]:
        for event in self.events:
            if isinstance(event, yaml.SequenceEndEvent):
                return
            yield self.node(event, depth + 1)

    def map(self, start: yaml.MappingStartEvent, depth: int) -> MapNode:
        entries: dict[str, Entry] = {}
        merged: list[MapNode] = []
        for event in self.events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            key, merges = self.key(event, depth)
            value = self.node(next(self.events), depth + 1)
            if merges:
                merged += self.merge_sources(event, value)
            elif key in entries:
                first = entries[key].mark.line
                self.problems.add(
                    self.mark(event), f"duplicate key `{key}`; it is already on line {first}"
                )
            else:
                entries[key] = Entry(self.mark(event), value)
        for source in merged:
            entries = {**source.entries, **entries}
        return MapNode(entries, self.mark(start), _foreign(start.tag))

    def key(self, event: yaml.Event, depth: int) -> tuple[str, bool]:
        """The key, and whether it is the merge key `<<`."""
        node = self.node(event, depth + 1)
        if isinstance(node, MapNode):
            hint = "; Jinja (`{{ … }}`) is not evaluated, write the value itself"
            self.fail(event, f"a key must be text, not a map{hint}")
        if not isinstance(node, ScalarNode):
            self.fail(event, "a key must be text, not a list")
        plain = isinstance(event, yaml.ScalarEvent) and event.implicit[0]
        return node.text, node.text == "<<" and plain

    def merge_sources(self, event: yaml.Event, value: Node) -> list[MapNode]:
        sources = value.items if isinstance(value, ListNode) else (value,)
        maps = [source for source in sources if isinstance(source, MapNode)]
        if len(maps) != len(sources):
            self.fail(event, "`<<` takes a map or a list of maps, usually an alias such as `*base`")
        return maps


def _foreign(tag: str | None) -> str:
    return "" if tag in (None, "!") or tag.startswith(_OWN) else tag


def _syntax(file: str, text: str, error: yaml.MarkedYAMLError) -> Exception:
    mark = error.problem_mark or error.context_mark
    if mark is None:
        return failure(file, f"this is not YAML: {error.problem}")
    lines = text.splitlines() or [""]
    line = lines[mark.line] if mark.line < len(lines) else ""
    if line[: mark.column + 1].lstrip(" ").startswith("\t"):
        message = "a tab cannot indent YAML; use spaces"
    else:
        context = f" {error.context}" if error.context else ""
        message = f"YAML syntax:{context}{',' if context else ''} {error.problem}"
    return failure(file, message, mark.line + 1, mark.column + 1)
