"""What another site needs of a manifest: its files, and an inventory of what is used of its own."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from xgen_deploy.manifest.diagnostics import Problems
from xgen_deploy.manifest.extends import read_manifest
from xgen_deploy.manifest.file_text import Files
from xgen_deploy.manifest.inventory.host_vars import used_variables
from xgen_deploy.manifest.inventory.load import Inventory, Variables
from xgen_deploy.manifest.load import Reading
from xgen_deploy.manifest.node import MapNode, plain
from xgen_deploy.manifest.variables import KEY, host_variables, site_variables
from xgen_deploy.manifest.yaml_text import yaml_text
from xgen_deploy.state.lock_file import lock_path
from xgen_deploy.state.site import Site

INVENTORY = "inventory.yaml"
_LOGIN = "ansible_"
_ADDRESSES = ("xgen_address", "xgen_peer_address")
_PRIORITY = "ansible_group_priority"


@dataclass(frozen=True)
class Carried:
    """`files` by their path beneath a common folder, `main` the manifest's own. `variables` are
    those of the command line, files by the same paths."""

    main: str
    files: dict[str, bytes]
    variables: tuple[str, ...]


def carried_files(reading: Reading, site: Site) -> Carried:
    """The manifest, what it extends, files of variables and of expectations. What else was read is
    the inventory's."""
    silent = Files()
    read_manifest(reading.path, silent, Problems())
    named = {v[1:] for v in reading.variables if v.startswith("@")}
    accepts = (c.accept.file for c in site.declared if c.accept is not None)
    named |= {file for file in accepts if file is not None and not file.startswith("~")}
    named = {_absolute(name) for name in named}
    contents = {_absolute(name): content for name, content in silent.read}
    contents |= {
        real: content for name, content in reading.files.read if (real := _absolute(name)) in named
    }
    if site.lock is not None:
        path = lock_path(reading.path)
        contents[_absolute(path)] = Path(path).read_bytes()
    root = os.path.commonpath([str(Path(name).parent) for name in contents])

    def inside(name: str) -> str:
        return os.path.relpath(_absolute(name), root)

    return Carried(
        main=inside(reading.path),
        files={inside(name): content for name, content in contents.items()},
        variables=tuple(f"@{inside(v[1:])}" if v.startswith("@") else v for v in reading.variables),
    )


def _absolute(name: str) -> str:
    return os.path.normpath(Path(name).expanduser().absolute())


def carried_inventory(reading: Reading, *, addresses: bool) -> str | None:
    """As YAML, of the manifest's hosts; None where it has none. Without `addresses` also logins
    are left out."""
    inventory = reading.hosts.inventory
    if inventory is None:
        return None
    known = reading.hosts.known
    variables = site_variables(inventory, Problems())
    hosts = {name: _variables(inventory, name, addresses=addresses) for name in known}
    whole: dict[str, object] = {"all": {"hosts": hosts, **_vars({}, variables)}}
    for name, group in inventory.groups.items():
        if name == "all":
            continue
        priority = group.rank[1]
        stated = {} if priority == 1 else {_PRIORITY: priority}
        whole[name] = {
            "hosts": {host: {} for host in group.hosts if host in known},
            "children": {child: {} for child in group.children},
            **_vars(stated, {}),
        }
    return yaml_text(whole)


def has_own_inventory(reading: Reading) -> bool:
    """Whether the manifest has one within it, which goes wherever the manifest goes."""
    return isinstance(reading.views.written.get("inventory"), MapNode)


def _variables(inventory: Inventory, host: str, *, addresses: bool) -> dict[str, object]:
    used = used_variables(inventory.variables(host), Problems())
    values = {
        name: plain(entry.node)
        for name, entry in used.items()
        if addresses or not (name.startswith(_LOGIN) or name in _ADDRESSES)
    }
    return {**values, **_own(host_variables(inventory, host, Problems()))}


def _vars(stated: Mapping[str, object], variables: Variables) -> dict[str, object]:
    values = {**stated, **_own(variables)}
    return {"vars": values} if values else {}


def _own(variables: Variables) -> dict[str, object]:
    values = {name: plain(entry.node) for name, entry in variables.items()}
    return {KEY: values} if values else {}
