"""Ansible's INI inventory as the tree that its YAML would be; values as Ansible reads them."""

import re
import shlex
from ast import literal_eval
from collections.abc import Iterator

from xgen_deploy.manifest.diagnostics import Problems
from xgen_deploy.manifest.node import Entry, ListNode, MapNode, Node, ScalarNode
from xgen_deploy.state.instance_config import Mark

_HEADER = re.compile(r"\[([^:\]\s]+)(?::(\w+))?\]\s*(?:#.*)?")
_UNGROUPED = "ungrouped"
_KEYS = {"": "hosts", "vars": "vars", "children": "children"}
Group = dict[str, dict[str, Entry]]


def looks_like_ini(text: str) -> bool:
    """A section, or hosts with `key=value`, before anything that only YAML has."""
    for _, line in _lines(text):
        if _HEADER.fullmatch(line):
            return True
        first, *rest = line.split()
        if first.endswith(":") or first[0] in "{-\"'%&!" or ": " in line:
            return False
        if rest and all(re.match(r"[A-Za-z_]\w*=", word) for word in rest[:1]):
            return True
    return False


def only_names(text: str) -> bool:
    """Nothing but hosts, one a line."""
    names = [line for _, line in _lines(text)]
    return bool(names) and all(re.fullmatch(r"[\w.\[:\]-]*[\w\]]", name) for name in names)


def read_ini(file: str, text: str, problems: Problems) -> MapNode:
    """Lines that Ansible does not take either are added to `problems`."""
    groups: dict[str, Group] = {}
    marks: dict[str, Mark] = {}
    name, key = _UNGROUPED, "hosts"
    for number, line in _lines(text):
        mark = Mark(file=file, line=number, column=1)
        header = _HEADER.fullmatch(line)
        if header:
            name, kind = header[1], header[2] or ""
            key = _KEYS.get(kind, "hosts")
            if kind not in _KEYS:
                problems.add(mark, f"`[{name}:{kind}]`: a section is `:vars`, `:children` or hosts")
            _part(groups, name, key)
            marks.setdefault(name, mark)
            continue
        marks.setdefault(name, mark)
        try:
            _add(_part(groups, name, key), key, line, mark)
        except ValueError as error:
            problems.add(mark, str(error))
    whole = Mark(file=file, line=1, column=1)
    return MapNode({n: Entry(marks[n], _group(g, marks[n])) for n, g in groups.items()}, whole)


def _lines(text: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if stripped and stripped[0] not in "#;":
            yield number, stripped


def _part(groups: dict[str, Group], name: str, key: str) -> dict[str, Entry]:
    return groups.setdefault(name, {}).setdefault(key, {})


def _group(group: Group, mark: Mark) -> MapNode:
    return MapNode({key: Entry(mark, MapNode(part, mark)) for key, part in group.items()}, mark)


def _add(part: dict[str, Entry], key: str, line: str, mark: Mark) -> None:
    if key == "vars":
        name, equals, value = line.partition("=")
        if not equals:
            raise ValueError(f"`{line}` is no variable; write `name=value`")
        part[name.strip()] = Entry(mark, _node(value.strip(), mark))
        return
    try:
        first, *rest = shlex.split(line, comments=True)
    except ValueError as error:
        raise ValueError(f"the quotes are unbalanced: {error}") from None
    if key == "children":
        part[first] = Entry(mark, ScalarNode(None, "", mark))
        return
    before = part[first].node if first in part else None
    variables = dict(before.entries) if isinstance(before, MapNode) else {}
    for word in rest:
        name, equals, value = word.partition("=")
        if not equals:
            raise ValueError(f"`{word}` after the host {first} is no variable; write `name=value`")
        variables[name] = Entry(mark, _node(value, mark))
    part[first] = Entry(mark, MapNode(variables, mark))


def _node(text: str, mark: Mark) -> Node:
    """Ansible takes a Python literal as such, and any other value as text."""
    try:
        value = literal_eval(text)
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        value = text
    return _as_node(value, text, mark)


def _as_node(value: object, text: str, mark: Mark) -> Node:
    if isinstance(value, dict):
        entries = {str(k): Entry(mark, _as_node(v, str(v), mark)) for k, v in value.items()}
        return MapNode(entries, mark)
    if isinstance(value, list | tuple | set):
        return ListNode(tuple(_as_node(item, str(item), mark) for item in value), mark)
    if isinstance(value, str | int | float | bool) or value is None:
        return ScalarNode(value, text, mark)
    return ScalarNode(text, text, mark)
