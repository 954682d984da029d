"""What a person can paste where the tool does not edit."""

from xgen_deploy.manifest.edit.data import put
from xgen_deploy.manifest.edit.edits import AddPlacement, Edit, SetField
from xgen_deploy.manifest.edit.values import block_items
from xgen_deploy.manifest.yaml_text import yaml_line


def override(edit: SetField) -> dict[str, object]:
    """An entry of the host's own, over what is placed there by a group or another file."""
    name = {"name": edit.placement} if edit.placement != edit.model else {}
    values = put({"model": edit.model, **name}, edit.path, edit.value)
    return values if isinstance(values, dict) else {}


def snippet(edit: Edit) -> str:
    """ "" of what is taken out: there is nothing to paste."""
    if isinstance(edit, AddPlacement):
        return _under_host(edit.host, dict(edit.values))
    if isinstance(edit, SetField):
        return _under_host(edit.host, override(edit))
    return ""


def _under_host(host: str, values: dict[str, object]) -> str:
    lines = ["hosts:", f"  {yaml_line(host)}:", *block_items([values], 4)]
    return "".join(f"{line}\n" for line in lines)
