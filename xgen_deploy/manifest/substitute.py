"""`${KEY}` in a manifest: a whole value, replaced by a variable's. `$${KEY}` is the text itself."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from xgen_deploy.manifest.diagnostics import Problems
from xgen_deploy.manifest.inventory.load import Variables
from xgen_deploy.manifest.merge import WHOLE
from xgen_deploy.manifest.node import Entry, ListNode, MapNode, Node, ScalarNode, scalars
from xgen_deploy.manifest.text_rules import (
    AS_THEY_ARE,
    refuse_control_characters,
    refuse_tags,
    refuse_templates,
)
from xgen_deploy.manifest.variables import NAME
from xgen_deploy.state.instance_config import Mark

# The tag of a value whose variable is not stated.
UNDEFINED = "${}"
_WHOLE = re.compile(r"\$\{([^{}]*)\}")
_LITERAL = re.compile(r"\$(\$\{[^{}]*\})")
_PART = re.compile(r"\$\{[A-Za-z_][A-Za-z0-9_]*\}")
_FIXED = frozenset({"project", "inventory", "extends"})
_SECRETS = frozenset({"api_key", "webhook", "password", "token", "heartbeat", "admin_password"})
_REFERENCES = frozenset({"env", "command", "host_file"})
# Maps that are nothing without one of their parts.
_ONE_VALUE = WHOLE | {"draft"}
_NO_REFERENCE = "a secret's reference takes no variable"
# `env.NAME`, `clients.NAME`: parts of the path of one of these.
_OF_ONE = 2
_Path = tuple[str, ...]


@dataclass
class Substitution:
    """One tree's values replaced. `used`: where a variable stands -> its name and its own place."""

    variables: Variables
    problems: Problems
    used: dict[Mark, tuple[str, Mark]] = field(default_factory=dict)

    def tree(self, node: MapNode) -> MapNode:
        return self._map(node, ())

    def _map(self, node: MapNode, path: _Path) -> MapNode:
        entries: dict[str, Entry] = {}
        for key, entry in node.entries.items():
            if _WHOLE.fullmatch(key):
                self.problems.add(entry.mark, f"`{key}`: a key is never a variable")
            entries[key] = Entry(entry.mark, self._node(entry.node, (*path, key)))
        return MapNode(entries, node.mark, node.tag)

    def _map_or_undefined(self, node: MapNode, path: _Path) -> Node:
        """A map that is one value is not stated where a part of it is not."""
        whole = self._map(node, path)
        parts = [entry.node for entry in whole.entries.values()]
        return (path[-1] in _ONE_VALUE and _undefined_in(parts)) or whole

    def _node(self, node: Node, path: _Path) -> Node:
        if path[0] == "inventory":
            return node
        if isinstance(node, MapNode):
            return self._map_or_undefined(node, path)
        if isinstance(node, ListNode):
            items = tuple(self._node(item, path) for item in node.items)
            return _undefined_in(items) or ListNode(items, node.mark, node.tag)
        return self._scalar(node, path) if isinstance(node.value, str) else node

    def _scalar(self, node: ScalarNode, path: _Path) -> Node:
        if literal := _LITERAL.fullmatch(node.text):
            return ScalarNode(literal[1], literal[1], node.mark, node.tag)
        whole = _WHOLE.fullmatch(node.text)
        if whole is None:
            self._check_part(node, path)
            return node
        name = whole[1]
        if not NAME.fullmatch(name):
            self.problems.add(
                node.mark,
                f"`{node.text}`: the name of a variable is letters, digits and `_`; the text "
                f"itself is `${node.text}`",
            )
            return node
        if _is_fixed(path):
            self.problems.add(node.mark, f"`{node.text}`: {_fixed(path)}; write it itself")
            return node
        return self._value(node, name, path)

    def _check_part(self, node: ScalarNode, path: _Path) -> None:
        part = _PART.search(node.text)
        if part is not None and not AS_THEY_ARE.intersection(_below(path)):
            self.problems.add(
                node.mark,
                f"`{part[0]}` stands for a whole value, not for a part of one (`{node.text[:60]}`)",
            )

    def _value(self, node: ScalarNode, name: str, path: _Path) -> Node:
        stated = self.variables.get(name)
        if stated is None:  # a placement without a model would be another error
            kept = node.text if path[-1] == "model" else None
            return ScalarNode(kept, node.text, node.mark, UNDEFINED)
        value = stated.node
        if isinstance(value, MapNode) and _may_be_secret(path):
            self.problems.add(node.mark, f"`{node.text}`: {_NO_REFERENCE}; write it itself")
            return node
        self.used[node.mark] = (name, stated.mark)
        refuse_control_characters(value, self.problems)
        refuse_tags(value, self.problems)
        refuse_templates(value, self.problems)
        for text in scalars(value):
            if isinstance(text.value, str) and _PART.search(text.text):
                self.problems.add(text.mark, f"`{name}`: a variable's value has no variables")
        return _at(value, node.mark)


def _undefined_in(nodes: Iterable[Node]) -> ScalarNode | None:
    """The first that is not stated, in place of a value that is nothing without it."""
    scalars = (node for node in nodes if isinstance(node, ScalarNode))
    return next((node for node in scalars if node.tag == UNDEFINED), None)


def _at(node: Node, mark: Mark) -> Node:
    """The value where it is used: errors are shown there."""
    if isinstance(node, ScalarNode):
        return ScalarNode(node.value, node.text, mark)
    if isinstance(node, ListNode):
        return ListNode(tuple(_at(item, mark) for item in node.items), mark)
    return MapNode({k: Entry(mark, _at(e.node, mark)) for k, e in node.entries.items()}, mark)


def as_text(value: object) -> object:
    """A value as it is written, so that no text in it is read as a variable."""
    if isinstance(value, str):
        return f"${value}" if _WHOLE.fullmatch(value) else value
    if isinstance(value, dict):
        return {key: as_text(under) for key, under in value.items()}
    if isinstance(value, list | tuple):
        return [as_text(under) for under in value]
    return value


def undefined(node: Node) -> Iterator[ScalarNode]:
    """The values in a tree whose variables are not stated."""
    return (value for value in scalars(node) if value.tag == UNDEFINED)


def has_variables(node: Node) -> bool:
    """Whether anything in a tree may be one."""
    if isinstance(node, ScalarNode):
        return "${" in node.text
    if isinstance(node, ListNode):
        return any(map(has_variables, node.items))
    return any("${" in key or has_variables(e.node) for key, e in node.entries.items())


def _is_fixed(path: _Path) -> bool:
    below = _below(path)
    if path[0] in _FIXED or _SECRETS.intersection(below) or _is_section(path):
        return True
    in_env = below[:1] == ("env",) and len(below) > 2  # env: {NAME: {file: …}}
    in_client = below[:1] in (("clients",), ("users",)) and path[-1] == "file"
    return in_env or in_client or path[-1] in _REFERENCES


def _may_be_secret(path: _Path) -> bool:
    """Whether a map that stands there is a secret's reference."""
    below = _below(path)
    return below[:1] in (("env",), ("clients",), ("users",)) and len(below) <= _OF_ONE


def _is_section(path: _Path) -> bool:
    """A section as a whole, one model or the list of a host."""
    depth = {
        "defaults": 1, "gateway": 1, "notify": 1, "monitoring": 1, "models": 2, "hosts": 2
    }.get(path[0], 0)  # fmt: skip
    return len(path) <= depth


def _below(path: _Path) -> _Path:
    """Without the names of sections, models and hosts."""
    return path[2:] if path[0] in ("models", "hosts") else path[1:]


def _fixed(path: _Path) -> str:
    if path[0] in _FIXED:
        return f"{path[0]} is the same everywhere and takes no variable"
    if _is_section(path):
        return "a variable is one value, not a section, a model or a host's list"
    return _NO_REFERENCE
