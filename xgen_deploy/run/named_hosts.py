"""Hosts that the command line names, for commands that need no manifest."""

from collections.abc import Sequence

from xgen_deploy.errors import UsageError
from xgen_deploy.manifest.diagnostics import Problems
from xgen_deploy.manifest.file_text import Files
from xgen_deploy.manifest.inventory.hosts import Hosts, find_inventory
from xgen_deploy.manifest.node import MapNode
from xgen_deploy.state.engine_words import EngineWords
from xgen_deploy.state.field_types import word
from xgen_deploy.state.host import Host
from xgen_deploy.state.instance_config import Mark
from xgen_deploy.transport.target import parse_hop

_COMMAND_LINE = Mark(file="the command line", line=0, column=0)


def named_hosts(
    names: Sequence[str], inventory: tuple[str, ...], words: EngineWords
) -> dict[str, Host]:
    """From the inventory's files, or as ssh takes them. Raises UsageError, and ManifestError for an
    inventory with problems or without such a name.
    """
    if not inventory:
        return {host.name: host for host in map(_as_ssh_takes_it, names)}
    problems, files = Problems(), Files()
    described = find_inventory(MapNode({}, _COMMAND_LINE), inventory, files, problems)
    hosts = Hosts(described, files, words, problems)
    chosen = [host for name in names for host in hosts.named(name, _COMMAND_LINE)]
    problems.raise_if_any()
    hosts.describe(dict.fromkeys(chosen, _COMMAND_LINE))
    problems.raise_if_any()
    return hosts.known


def inventory_names(sources: tuple[str, ...]) -> dict[str, str]:
    """The hosts and groups of an inventory's files, each with what it is. Raises as above."""
    problems = Problems()
    inventory = find_inventory(MapNode({}, _COMMAND_LINE), sources, Files(), problems)
    problems.raise_if_any()
    if inventory is None:
        return {}
    return dict.fromkeys(inventory.groups, "group") | dict.fromkeys(inventory.hosts, "host")


def _as_ssh_takes_it(name: str) -> Host:
    try:
        place = parse_hop(name)
        return Host(name=word(place.alias), user=place.user, port=place.port)
    except (UsageError, ValueError):
        raise UsageError(f"`{name}` is not a host; write [user@]host[:port]") from None
