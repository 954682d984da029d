"""Ansible's YAML inventory: groups, their hosts, and the variables of each host."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from xgen_deploy.manifest.diagnostics import Problems
from xgen_deploy.manifest.inventory.host_range import expanded
from xgen_deploy.manifest.node import Entry, MapNode, Node, ScalarNode, is_null
from xgen_deploy.state.instance_config import Mark

Variables = dict[str, Entry]


@dataclass
class Group:
    """`depth` is the longest path from `all`; a deeper group's variables win. `beside` has the
    variables from `group_vars/`."""

    name: str
    mark: Mark
    depth: int = 0
    children: list[str] = field(default_factory=list)
    hosts: list[str] = field(default_factory=list)
    variables: Variables = field(default_factory=dict)
    beside: Variables = field(default_factory=dict)

    @property
    def rank(self) -> tuple[int, int, str]:
        """Sort key for Ansible's order among the groups of a host."""
        stated = {**self.variables, **self.beside}.get("ansible_group_priority")
        value = stated.node.value if stated and isinstance(stated.node, ScalarNode) else 1
        return (self.depth, value if isinstance(value, int) else 1, self.name)


@dataclass
class Inventory:
    """Groups and hosts in the order of the files. `host_beside` has variables from `host_vars/`,
    `groups_read` are the groups that were looked up in `group_vars/`."""

    sources: tuple[str, ...]
    groups: dict[str, Group] = field(default_factory=dict)
    hosts: dict[str, Mark] = field(default_factory=dict)
    host_variables: dict[str, Variables] = field(default_factory=dict)
    host_beside: dict[str, Variables] = field(default_factory=dict)
    groups_read: set[str] = field(default_factory=set)

    def groups_of(self, host: str) -> list[Group]:
        """Every group of a host except `all`, parents first."""
        names = {name for name, group in self.groups.items() if host in group.hosts}
        grown = True
        while grown:
            parents = {n for n, g in self.groups.items() if names.intersection(g.children)}
            grown = not parents <= names
            names |= parents
        groups = (self.groups[name] for name in names if name != "all")
        return sorted(groups, key=lambda group: group.rank)

    def members(self, group: str) -> tuple[str, ...]:
        """The hosts of a group and of all groups under it, in the order of the file."""
        if group == "all":
            return tuple(self.hosts)
        under, queue = {group}, [group]
        while queue:
            for child in self.groups[queue.pop()].children:
                if child not in under:
                    under.add(child)
                    queue.append(child)
        inside = {host for name in under for host in self.groups[name].hosts}
        return tuple(host for host in self.hosts if host in inside)

    def variables(self, host: str) -> Variables:
        """The variables of one host, by Ansible's order of precedence."""
        return {key: entry for layer in self.layers(host) for key, entry in layer.items()}

    def layers(self, host: str) -> list[Variables]:
        """The same as they lie over each other, the last on top."""
        every = self.groups["all"]
        groups = self.groups_of(host)
        layers = [every.variables, *(group.variables for group in groups)]
        layers += [every.beside, *(group.beside for group in groups)]
        return [*layers, self.host_variables.get(host, {}), self.host_beside.get(host, {})]

    def layers_of_all(self) -> list[Variables]:
        """What holds for every host."""
        every = self.groups["all"]
        return [every.variables, every.beside]


def read_inventory(
    sources: tuple[str, ...], roots: Sequence[Node], problems: Problems
) -> Inventory:
    """The inventory in YAML trees, the last on top; anything else in them is added to `problems`.
    `sources` are the files and folders that they come from."""
    inventory = Inventory(sources)
    inventory.groups["all"] = Group("all", Mark(file=sources[0], line=1, column=1))
    for root in roots:
        if not isinstance(root, MapNode):
            problems.add(root.mark, "an inventory is a map that begins with `all:`")
            continue
        for name, entry in root.entries.items():
            _group(inventory, name, entry, problems, ())
    _deepen(inventory)
    return inventory


def _group(
    inventory: Inventory, name: str, entry: Entry, problems: Problems, above: tuple[str, ...]
) -> None:
    group = inventory.groups.setdefault(name, Group(name, entry.mark))
    if name in above:
        circle = " > ".join((*above[above.index(name) :], name))
        problems.add(entry.mark, f"group `{name}` is its own child: {circle}")
        return
    if is_null(entry.node):
        return
    if not isinstance(entry.node, MapNode):
        problems.add(
            entry.node.mark, f"group `{name}` must be a map with `hosts`, `children` and `vars`"
        )
        return
    for key, part in entry.node.entries.items():
        if key not in ("hosts", "children", "vars"):
            problems.warn(part.mark, f"`{key}` in group `{name}` is ignored, as in Ansible")
            continue
        members = _section(part, f"{key} of group {name}", problems)
        if key == "vars":
            group.variables |= members
        elif key == "hosts":
            _hosts(inventory, group, members, problems)
        else:
            for child, child_entry in members.items():
                _group(inventory, child, child_entry, problems, (*above, name))
                if child not in group.children and child not in (*above, name):
                    group.children.append(child)


def _section(part: Entry, what: str, problems: Problems) -> Variables:
    node = part.node
    if isinstance(node, MapNode):
        return node.entries
    if isinstance(node, ScalarNode) and isinstance(node.value, str) and node.value:
        return {node.value: Entry(node.mark, ScalarNode(None, "", node.mark))}
    if not is_null(node):
        problems.add(node.mark, f"{what} must be a map, each name with a colon: `name:`")
    return {}


def _hosts(inventory: Inventory, group: Group, members: Variables, problems: Problems) -> None:
    for written, entry in members.items():
        pattern, port = _without_port(written, entry.mark)
        try:
            names = expanded(pattern)
        except ValueError as error:
            problems.add(entry.mark, str(error))
            continue
        for name in names:
            inventory.hosts.setdefault(name, entry.mark)
            if name not in group.hosts:
                group.hosts.append(name)
            variables = _host_variables(entry, name, problems)
            inventory.host_variables.setdefault(name, {}).update({**port, **variables})


def _host_variables(entry: Entry, name: str, problems: Problems) -> Variables:
    """A bare word, often an address, is no variable: ignored, it could reach another machine."""
    node = entry.node
    if isinstance(node, ScalarNode) and not is_null(node):
        problems.add(
            node.mark,
            f"`{name}: {node.text}` gives {name} no variable; where it is an address, write "
            f"`{name}: {{ansible_host: {node.text}}}`",
        )
        return {}
    return _section(entry, f"the variables of {name}", problems)


def _without_port(pattern: str, mark: Mark) -> tuple[str, Variables]:
    """Ansible reads `host:2222` as a host and its port."""
    match = re.fullmatch(r"([^:\[\]]*(?:\[[^\[\]]*\][^:\[\]]*)*):(\d{1,5})", pattern)
    if not match:
        return pattern, {}
    return match[1], {"ansible_port": Entry(mark, ScalarNode(int(match[2]), match[2], mark))}


def _deepen(inventory: Inventory) -> None:
    """Sets every group's depth; cycles were reported and never linked, so this ends."""
    for name, group in inventory.groups.items():
        group.depth = 0 if name == "all" else 1
    for _ in inventory.groups:
        for group in inventory.groups.values():
            for child in group.children:
                below = inventory.groups[child]
                below.depth = max(below.depth, group.depth + 1)
