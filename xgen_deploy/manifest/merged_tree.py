"""A manifest as one tree: what `extends`, groups, `defaults`, models and variables come to."""

from collections.abc import Collection

from xgen_deploy.manifest.diagnostics import Problems
from xgen_deploy.manifest.expand import model_tree
from xgen_deploy.manifest.inventory.host_vars import used_variables
from xgen_deploy.manifest.load import Reading
from xgen_deploy.manifest.node import Entry, ListNode, MapNode, Node, without_nulls
from xgen_deploy.manifest.variables import KEY
from xgen_deploy.state.instance_config import Mark

_MERGED = frozenset({"inventory", "defaults", "models", "hosts"})


def merged_tree(reading: Reading, hosts: Collection[str]) -> MapNode:
    """A manifest that says the same of these hosts; every node has the mark of where it was
    written."""
    sections = reading.views.whole
    root = sections.sound.mark
    first = {k: e for k, e in sections.sound.entries.items() if k not in _MERGED}
    parts = {
        "inventory": _inventory(reading, hosts, root),
        "models": _models(reading, hosts, root),
        "hosts": _hosts(reading, hosts, root),
    }
    entries = {name: Entry(root, node) for name, node in parts.items()}
    return without_nulls(MapNode({**first, **entries}, root))


def _inventory(reading: Reading, hosts: Collection[str], root: Mark) -> MapNode:
    described = {h: _host(reading, h) for h in hosts}
    members = MapNode({h: Entry(node.mark, node) for h, node in described.items()}, root)
    return _under(root, "all", _under(root, "hosts", members))


def _under(mark: Mark, key: str, node: Node) -> MapNode:
    return MapNode({key: Entry(mark, node)}, mark)


def _host(reading: Reading, host: str) -> MapNode:
    """How it is reached and what is true of it alone, and its variables."""
    inventory = reading.hosts.inventory
    stated = inventory.variables(host) if inventory is not None else {}
    mark = inventory.hosts[host] if inventory is not None else reading.views.written.mark
    entries = used_variables(stated, Problems())
    variables = reading.views.variables(host)
    if variables:
        entries = {**entries, KEY: Entry(mark, MapNode(variables, mark))}
    return MapNode(entries, mark)


def _models(reading: Reading, hosts: Collection[str], root: Mark) -> MapNode:
    sections = reading.views.whole
    placed = {p.placement.model for p in reading.placements if p.host in hosts}
    names = sections.names("models")
    return MapNode(
        {n: Entry(e.mark, model_tree(n, sections)) for n, e in names.items() if n in placed}, root
    )


def _hosts(reading: Reading, hosts: Collection[str], root: Mark) -> MapNode:
    entries: dict[str, Entry] = {}
    for host in hosts:
        merged = [p for p in reading.placements if p.host == host]
        nodes = tuple(_placement(p.node, p.written.mark) for p in merged)
        entries[host] = Entry(root, ListNode(nodes, root))
    return MapNode(entries, root)


def _placement(node: MapNode, mark: Mark) -> MapNode:
    """`model` and `name` first."""
    ordered = sorted(node.entries, key=lambda key: (key != "model", key != "name"))
    return MapNode({key: node.entries[key] for key in ordered}, mark)
