"""`group_vars/` and `host_vars/` next to an inventory, looked up as Ansible does."""

from pathlib import Path

from xgen_deploy.manifest.diagnostics import ManifestError, Problems
from xgen_deploy.manifest.file_text import Files
from xgen_deploy.manifest.inventory.load import Inventory, Variables
from xgen_deploy.manifest.marked_yaml import parse
from xgen_deploy.manifest.node import MapNode
from xgen_deploy.manifest.scalars import yaml11
from xgen_deploy.state.instance_config import Mark

_ENDINGS = (".yml", ".yaml", ".json")


def add_vars_beside(
    inventory: Inventory, hosts: set[str], files: Files, problems: Problems
) -> None:
    """Fills in `beside` for the groups and `host_beside` for those of `hosts`."""
    sources = [Path(source) for source in inventory.sources]
    folders = list(dict.fromkeys(path if path.is_dir() else path.parent for path in sources))
    needed = {"all"} | {group.name for host in hosts for group in inventory.groups_of(host)}
    for name in sorted(needed - inventory.groups_read):
        inventory.groups_read.add(name)
        for folder in folders:
            inventory.groups[name].beside |= _read(folder / "group_vars", name, files, problems)
    for name in sorted(hosts & set(inventory.hosts)):
        beside = [_read(folder / "host_vars", name, files, problems) for folder in folders]
        inventory.host_beside[name] = {k: entry for each in beside for k, entry in each.items()}


def _read(folder: Path, name: str, files: Files, problems: Problems) -> Variables:
    variables: Variables = {}
    for path in _paths(folder, name):
        variables |= _variables(str(path), files, problems)
    return variables


def _paths(folder: Path, name: str) -> list[Path]:
    """The first of `name`, `name.yml`, …; of a folder, every file in it."""
    if "/" in name or name in ("", ".", ".."):
        return []
    for ending in ("", *_ENDINGS):
        path = folder / (name + ending)
        if path.is_dir():
            return _inside(path)
        if path.exists():
            return [path]
    return []


def _inside(folder: Path) -> list[Path]:
    files: list[Path] = []
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or path.name.endswith("~"):
            continue
        if path.is_dir():
            files += _inside(path)
        elif path.suffix in ("", *_ENDINGS):
            files.append(path)
    return files


def _variables(path: str, files: Files, problems: Problems) -> Variables:
    whole = Mark(file=path, line=1, column=1)
    try:
        text = files.text(path, "variables file")
        if text.startswith("$ANSIBLE_VAULT"):
            problems.warn(whole, "this file is encrypted with ansible-vault and is ignored")
            return {}
        root = parse(path, text, yaml11, problems)
    except ManifestError as error:
        problems.found += error.problems
        return {}
    if root is None:
        return {}
    if not isinstance(root, MapNode):
        problems.add(root.mark, "a variables file is a map of names and values")
        return {}
    return root.entries
