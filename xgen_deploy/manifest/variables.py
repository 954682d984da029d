"""The variables of a manifest: `xgen_vars` of the inventory, and `-e` over them."""

import re
from collections.abc import Iterable, Sequence

from xgen_deploy.manifest.diagnostics import Problems, failure
from xgen_deploy.manifest.file_text import Files
from xgen_deploy.manifest.inventory.load import Inventory, Variables
from xgen_deploy.manifest.marked_yaml import parse
from xgen_deploy.manifest.node import Entry, ListNode, MapNode, Node, ScalarNode, is_null
from xgen_deploy.manifest.scalars import core
from xgen_deploy.state.instance_config import Mark

KEY = "xgen_vars"
OPTION = "-e"
NAME = re.compile("[A-Za-z_][A-Za-z0-9_]*")


def given_variables(texts: Sequence[str], files: Files, problems: Problems) -> Variables:
    """Those of `-e KEY=VALUE`, the value as YAML, and of `-e @FILE`; later ones win."""
    variables: Variables = {}
    for text in texts:
        if text.startswith("@"):
            variables |= _of_file(text[1:], files, problems)
        else:
            key, equals, value = text.partition("=")
            if not equals or not NAME.fullmatch(key):
                raise failure(
                    f"{OPTION} {text}",
                    "this is KEY=VALUE or @FILE; a key is letters, digits and `_`",
                )
            place = f"{OPTION} {key}"
            null = ScalarNode(None, "", Mark(file=place, line=1, column=1))
            node = parse(place, value, core, problems) or null
            variables[key] = Entry(node.mark, node)
    return variables


def _of_file(path: str, files: Files, problems: Problems) -> Variables:
    root = parse(path, files.text(path, "file of variables"), core, problems)
    return _checked(root, problems) if root is not None else {}


def site_variables(inventory: Inventory | None, problems: Problems) -> Variables:
    """What holds for the manifest as a whole: those of the group `all`."""
    if inventory is None:
        return {}
    return _merged(inventory.layers_of_all(), problems)


def host_variables(inventory: Inventory | None, host: str, problems: Problems) -> Variables:
    """Of one host: its own over its groups' over those of `all`, key by key."""
    if inventory is None:
        return {}
    return _merged(inventory.layers(host), problems)


def places_of(inventory: Inventory | None, key: str) -> tuple[str, ...]:
    """The groups and hosts that state a variable, as far as the files of variables were read."""
    if inventory is None:
        return ()
    silent = Problems()
    groups = {n: (g.variables, g.beside) for n, g in inventory.groups.items()}
    hosts = {
        n: (inventory.host_variables.get(n, {}), inventory.host_beside.get(n, {}))
        for n in inventory.hosts
    }
    owners = {**groups, **hosts}
    return tuple(name for name, layers in owners.items() if key in _merged(layers, silent))


def _merged(layers: Iterable[Variables], problems: Problems) -> Variables:
    merged: Variables = {}
    for layer in layers:
        stated = layer.get(KEY)
        if stated is not None and not is_null(stated.node):
            merged |= {
                k: Entry(e.mark, _typed(e.node)) for k, e in _checked(stated.node, problems).items()
            }
    return merged


def _checked(node: Node, problems: Problems) -> Variables:
    if not isinstance(node, MapNode):
        problems.add(node.mark, "variables are a map of names and values")
        return {}
    for key, entry in node.entries.items():
        if not NAME.fullmatch(key):
            problems.add(entry.mark, f"`{key}`: the name of a variable is letters, digits and `_`")
    return node.entries


def _typed(node: Node) -> Node:
    """An inventory is YAML 1.1; a manifest's values are YAML 1.2: `no` and `0000:41:00.0` are text
    there."""
    if isinstance(node, MapNode):
        entries = {k: Entry(e.mark, _typed(e.node)) for k, e in node.entries.items()}
        return MapNode(entries, node.mark, node.tag)
    if isinstance(node, ListNode):
        return ListNode(tuple(map(_typed, node.items)), node.mark, node.tag)
    if isinstance(node.value, str):
        return node
    return ScalarNode(core(node.text), node.text, node.mark, node.tag)
