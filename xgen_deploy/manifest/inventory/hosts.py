"""The hosts that a manifest names, as the inventory describes them."""

from dataclasses import dataclass, field
from pathlib import Path

from xgen_deploy.manifest.diagnostics import ManifestError, Problems, nearest
from xgen_deploy.manifest.file_text import Files, beside
from xgen_deploy.manifest.inventory.group_vars import add_vars_beside
from xgen_deploy.manifest.inventory.host_vars import describe_host
from xgen_deploy.manifest.inventory.load import Inventory, read_inventory
from xgen_deploy.manifest.inventory.sources import read_source
from xgen_deploy.manifest.node import MapNode, Node, ScalarNode
from xgen_deploy.state.engine_words import EngineWords
from xgen_deploy.state.field_types import word
from xgen_deploy.state.host import Host
from xgen_deploy.state.instance_config import Mark


@dataclass
class Hosts:
    """`marks`: host -> where each of its variables was written. Without an inventory any name is a
    host."""

    inventory: Inventory | None
    files: Files
    words: EngineWords
    problems: Problems
    known: dict[str, Host] = field(default_factory=dict)
    marks: dict[str, dict[str, Mark]] = field(default_factory=dict)

    def named(self, name: str, mark: Mark) -> tuple[str, ...]:
        """The hosts that a name in the manifest stands for; () after reporting a problem."""
        inventory = self.inventory
        if inventory is None or name in inventory.hosts:
            return (name,)
        if name in inventory.groups:
            members = inventory.members(name)
            if not members:
                self.problems.warn(mark, f"group `{name}` has no hosts")
            return members
        hint = nearest(name, [*inventory.hosts, *inventory.groups])
        message = (
            f"no host or group `{name}` in the inventory {', '.join(inventory.sources)}.{hint}"
        )
        self.problems.add(mark, message)
        return ()

    def is_group(self, name: str) -> bool:
        inventory = self.inventory
        return inventory is not None and name not in inventory.hosts and name in inventory.groups

    def depth(self, name: str) -> tuple[int, int, str]:
        """Sort key for the order of precedence; hosts come after all groups."""
        if self.inventory is None or not self.is_group(name):
            return (1 << 30, 0, "")
        return self.inventory.groups[name].rank

    def describe(self, names: dict[str, Mark]) -> None:
        """Fills `known` for these hosts; `names` maps each to where the manifest names it."""
        if self.inventory is not None:
            add_vars_beside(self.inventory, set(names), self.files, self.problems)
        for name, mark in names.items():
            try:
                word(name)
            except ValueError as error:
                self.problems.add(mark, f"host `{name}`: {error}")
            else:
                self.known[name], self.marks[name] = self._described(name, mark)

    def _described(self, name: str, mark: Mark) -> tuple[Host, dict[str, Mark]]:
        if self.inventory is None:
            return describe_host(name, (), {}, mark, self.words, self.problems)
        groups = tuple(group.name for group in self.inventory.groups_of(name))
        variables = self.inventory.variables(name)
        at = self.inventory.hosts[name]
        return describe_host(name, groups, variables, at, self.words, self.problems)

    def groups(self) -> dict[str, tuple[str, ...]]:
        """Every group, with the hosts in it that the manifest uses."""
        if self.inventory is None:
            return {}
        return {
            name: tuple(host for host in self.inventory.members(name) if host in self.known)
            for name in self.inventory.groups
        }


def find_inventory(
    root: MapNode, override: tuple[str, ...], files: Files, problems: Problems
) -> Inventory | None:
    """The inventory that `-i` or the manifest names, or has inline; None where there is none. Of
    several the last one is on top."""
    node = root.get("inventory")
    if not override and isinstance(node, MapNode):
        return read_inventory((node.mark.file,), [node], problems)
    sources = override or _inventory_path(node)
    if not sources:
        return None
    try:
        roots = [root for path in sources for root in read_source(path, files, problems)]
        return read_inventory(sources, roots, problems)
    except ManifestError as error:
        if not override and node is not None and not Path(sources[0]).exists():
            problems.add(node.mark, f"the inventory {sources[0]} does not exist")
        else:
            problems.found += error.problems
        return None


def _inventory_path(node: Node | None) -> tuple[str, ...]:
    if not isinstance(node, ScalarNode) or not isinstance(node.value, str):
        return ()
    return (beside(node.mark.file, node.value),)
