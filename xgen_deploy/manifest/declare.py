"""A draft as the instances that it asks for: one a replica, every field complete."""

from pathlib import Path

from xgen_deploy.manifest.diagnostics import Problems
from xgen_deploy.manifest.drafts import Draft
from xgen_deploy.manifest.file_text import beside
from xgen_deploy.manifest.hosts import Hosts
from xgen_deploy.manifest.node import MapNode, marks_of
from xgen_deploy.manifest.schema import Manifest, ModelFields
from xgen_deploy.manifest.sections import Sections
from xgen_deploy.state.field_types import instance_name, port_range
from xgen_deploy.state.host import Host
from xgen_deploy.state.instance_config import InstanceConfig, Mark
from xgen_deploy.state.settings import SecretRef

Gpus = object  # a list of GPUs, `all` or None; Declared checks it
_NO_SOURCE = "/"  # only where its lack has been reported
_TABLES = ("runtime", "ports", "pull", "images", "binaries")
_MERGED = frozenset(ModelFields.model_fields) | {"model", "port"}


def declared(
    draft: Draft, sections: Sections, hosts: Hosts, problems: Problems
) -> list[InstanceConfig]:
    """The instances of one placement, `m`, `m-2`, `m-3`; none where its host is not known.

    Layers that a model or the defaults state become 0 where the placement says `gpus: []`: the
    same model may be on a GPU elsewhere. Layers in the placement itself are left for the check.
    """
    host = hosts.known.get(draft.host)
    if host is None:
        return []
    marks = _site_marks(sections.sound, hosts.marks[draft.host])
    marks |= dict(marks_of(draft.node)) | {"": draft.own.mark}
    each = _replicas(draft, problems)
    first = draft.placement.name or draft.placement.model
    names = [first if at == 0 else f"{first}-{at + 1}" for at in range(len(each))]
    if not _names_are_safe(names, draft, problems):
        return []
    fields = _fields(draft, host, sections.manifest, marks, problems)
    return [
        InstanceConfig.model_validate({**fields, "name": name, "gpus": gpus, "marks": marks})
        for name, gpus in zip(names, each, strict=True)
    ]


def _replicas(draft: Draft, problems: Problems) -> list[Gpus]:
    """The GPUs of each replica."""
    gpus, count = draft.placement.gpus, draft.placement.replicas
    if not isinstance(gpus, tuple) or not gpus or not isinstance(gpus[0], tuple):
        return [gpus] * (count or 1)
    if count is not None and count != len(gpus):
        problems.add(
            draft.node.key_mark("replicas"),
            f"replicas is {count}, but gpus lists {len(gpus)} replicas; leave replicas out",
        )
    return list(gpus)


def _names_are_safe(names: list[str], draft: Draft, problems: Problems) -> bool:
    try:
        instance_name(names[-1])
        instance_name(names[0])
    except ValueError as error:
        key = "name" if draft.placement.name else "model"
        hint = "" if draft.placement.name else "; give this placement a `name:`"
        problems.add(draft.own.key_mark(key), f'instance "{names[0]}": {error}{hint}')
        return False
    return True


def _site_marks(root: MapNode, of_host: dict[str, Mark]) -> dict[str, Mark]:
    tables = {key: entry for key, entry in root.entries.items() if key in _TABLES}
    marks = dict(marks_of(MapNode(tables, root.mark)))
    ours = {key.removeprefix("xgen_"): mark for key, mark in of_host.items()}
    return marks | {key: mark for key, mark in ours.items() if key.partition(".")[0] in _TABLES}


def _fields(
    draft: Draft, host: Host, manifest: Manifest, marks: dict[str, Mark], problems: Problems
) -> dict[str, object]:
    stated = draft.placement
    fields: dict[str, object] = {
        key: value for key in _MERGED if (value := getattr(stated, key)) is not None
    }
    layers_here = "n_gpu_layers" in draft.own.entries and stated.n_gpu_layers is not None
    if stated.gpus == () and not layers_here and stated.n_gpu_layers is not None:
        fields["n_gpu_layers"] = 0
        _say_unused(stated.n_gpu_layers, draft, problems)
    if stated.api_key is not None:
        fields["api_key"] = located(stated.api_key, marks["api_key"])
    if stated.env is not None:
        fields["env"] = {
            name: located(value, marks[f"env.{name}"]) if isinstance(value, SecretRef) else value
            for name, value in stated.env.items()
        }
    return (
        {"source": _NO_SOURCE}
        | fields
        | {
            "host": draft.host,
            "layers_here": layers_here,
            "runtime": host.runtime or manifest.runtime,
            "pull": manifest.pull,
            "ports": port_range(host.ports or manifest.ports),
            "images": {str(key): image for key, image in manifest.images.items()} | host.images,
            "binaries": {str(key): path for key, path in manifest.binaries.items()} | host.binaries,
        }
    )


def _say_unused(layers: int | str, draft: Draft, problems: Problems) -> None:
    if isinstance(layers, int) and layers > 0:
        problems.warn(
            draft.own.key_mark("gpus"),
            f"n_gpu_layers {layers} of {draft.placement.model} is not used on {draft.host}: "
            "`gpus: []` is the CPU",
        )


def located(secret: SecretRef, mark: Mark) -> SecretRef:
    """A relative `file:` is relative to the manifest that it was written in."""
    return secret if secret.file is None else SecretRef(file=located_file(secret.file, mark))


def located_file(path: str, mark: Mark) -> str:
    """The same for a file of this machine."""
    return path if path.startswith(("/", "~")) else str(Path(beside(mark.file, path)).absolute())
