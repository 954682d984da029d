"""An inventory's files: one, or those of a folder, in YAML or INI. What Ansible would have to run
or decrypt is refused with the line that makes a file of it."""

import re
from pathlib import Path

from xgen_deploy.manifest.diagnostics import Problems, failure
from xgen_deploy.manifest.file_text import Files
from xgen_deploy.manifest.inventory.ini import looks_like_ini, only_names, read_ini
from xgen_deploy.manifest.marked_yaml import parse
from xgen_deploy.manifest.node import MapNode, Node
from xgen_deploy.manifest.scalars import yaml11

# As Ansible passes over them in a folder.
_NOT_READ = re.compile(r"\..*|(host_vars|group_vars|vars_plugins)$")
_YAML = (".yaml", ".yml", ".json")
_ENDINGS = (
    *(".pyc", ".pyo", ".swp", ".bak", "~", ".rpm", ".md", ".txt", ".rst"),
    *(".orig", ".ini", ".cfg", ".retry"),
)


def read_source(path: str, files: Files, problems: Problems) -> list[Node]:
    """The trees of a file or folder, the last on top. Raises ManifestError."""
    if "," in path and not Path(path).exists():
        raise failure(path, "a list of hosts is no inventory here; name them in a file")
    if not Path(path).is_dir():
        return [_tree(path, files, problems)]
    paths = _inside(Path(path))
    if not paths:
        raise failure(path, "there is no inventory in this folder")
    return [_tree(str(file), files, problems) for file in paths]


def _inside(folder: Path) -> list[Path]:
    paths: list[Path] = []
    for path in sorted(folder.iterdir()):
        if _NOT_READ.match(path.name) or path.name.endswith(_ENDINGS):
            continue
        paths += _inside(path) if path.is_dir() else [path]
    return paths


def _tree(path: str, files: Files, problems: Problems) -> Node:
    text = files.text(path, "inventory")
    if text.startswith("$ANSIBLE_VAULT"):
        raise failure(path, "this inventory is encrypted" + _listed(path, " --ask-vault-pass"))
    if text.startswith("#!"):
        raise failure(path, "this inventory is a script, which is not run" + _listed(path))
    if path.endswith(".toml"):
        raise failure(path, "an inventory in TOML is not read" + _listed(path))
    if looks_like_ini(text) or (not path.endswith(_YAML) and only_names(text)):
        return read_ini(path, text, problems)
    root = parse(path, text, yaml11, problems)
    if root is None:
        raise failure(path, "this inventory is empty; it should begin with `all:`")
    if isinstance(root, MapNode) and "plugin" in root.entries:
        raise failure(path, "this configures an inventory plugin of Ansible" + _listed(path))
    if isinstance(root, MapNode) and "_meta" in root.entries:
        raise failure(path, "this is what `ansible-inventory --list` prints" + _listed("INVENTORY"))
    return root


def _listed(path: str, option: str = "") -> str:
    return (
        f"; `ansible-inventory -i {path} --list --yaml{option} > inventory.yaml` makes a file that "
        "can be read"
    )
