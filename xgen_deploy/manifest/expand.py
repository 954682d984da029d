"""From `hosts:` to instances: groups expanded over their hosts, models and defaults merged in, one
instance config a replica, every field complete.
"""

from dataclasses import dataclass

from pydantic import ValidationError

from xgen_deploy.manifest.archives import with_own_archive
from xgen_deploy.manifest.diagnostics import Problems, nearest
from xgen_deploy.manifest.error_messages import report
from xgen_deploy.manifest.file_text import absolute_path, absolute_secret
from xgen_deploy.manifest.images import absolute_image, absolute_images, pull_of
from xgen_deploy.manifest.inventory.hosts import Hosts
from xgen_deploy.manifest.merge import merged_maps, placements
from xgen_deploy.manifest.node import (
    ListNode,
    MapNode,
    ScalarNode,
    marks_of,
    plain,
    without_nulls,
)
from xgen_deploy.manifest.schema import Manifest, ModelFields, Placement
from xgen_deploy.manifest.sections import Sections
from xgen_deploy.manifest.site_views import SiteViews
from xgen_deploy.manifest.substitute import undefined
from xgen_deploy.state.field_types import instance_name, port_range
from xgen_deploy.state.host import Host
from xgen_deploy.state.instance_config import InstanceConfig, Mark
from xgen_deploy.state.settings import SecretRef, SourceByFormat

Gpus = object  # a list of GPUs, `all` or None; InstanceConfig validates it
_NO_SOURCE = "/"  # only where a missing source has been reported
_TABLES = ("runtime", "ports", "pull", "images", "binaries")
_MERGED = frozenset(ModelFields.model_fields) | {"model", "port", "adopt", "spread"}


@dataclass(frozen=True)
class MergedPlacement:
    """One placement on one host: `written` is its own node, `node` the same merged over its model
    and the defaults, `placement` the merged node as values."""

    host: str
    written: MapNode
    node: MapNode
    placement: Placement


def placements_of(
    host: str, views: SiteViews, by_host: dict[str, ListNode], hosts: Hosts
) -> ListNode:
    """The same of one host, with its own variables; `by_host` is the site as a whole."""
    view = views.of(host)
    return by_host[host] if view is views.whole else placements_by_host(view, hosts, host)[host]


def placements_by_host(
    sections: Sections, hosts: Hosts, only: str | None = None
) -> dict[str, ListNode]:
    """The placements of each host or of one, hosts in the order of the manifest.

    Groups' placements are merged by instance name in Ansible's order of precedence, the host's own
    entry last; an empty list clears those before it.
    """
    expanded: list[tuple[str, str, ListNode]] = []
    for name, entry in sections.names("hosts").items():
        node = sections.part("hosts").get(name)
        for host in hosts.named(name, entry.mark):
            if isinstance(node, ListNode) and only in (None, host):
                expanded.append((host, name, node))
    result: dict[str, ListNode] = {host: ListNode((), node.mark) for host, _, node in expanded}
    for host, _, node in sorted(expanded, key=lambda entry: hosts.depth(entry[1])):
        result[host] = placements(result[host], node)
    return result


def merged_placements(
    host: str, placements: ListNode, views: SiteViews, problems: Problems
) -> list[MergedPlacement]:
    """Every placement of a host whose model exists, merged and checked."""
    sections = views.of(host)
    result: list[MergedPlacement] = []
    for written in placements.items:
        if isinstance(written, MapNode):
            merged = _merged(host, written, sections, views, problems)
            result += [merged] if merged is not None else []
    return result


def _merged(
    host: str, written: MapNode, sections: Sections, views: SiteViews, problems: Problems
) -> MergedPlacement | None:
    name = written.get("model")
    if name is not None and any(undefined(name)):
        views.refuse_undefined(name, host)
    if not isinstance(name, ScalarNode) or not isinstance(name.value, str):
        return None
    if name.value not in sections.names("models"):
        problems.add(name.mark, _no_model(name.value, sections))
        return None
    whole = merged_maps(model_tree(name.value, sections), written)
    views.refuse_undefined(whole, host)
    node = without_nulls(whole)
    try:
        placement = Placement.model_validate(plain(node), context=sections.words)
        return MergedPlacement(host, written, node, placement)
    except ValidationError as error:
        report(error, node, Placement, problems)
        return None


def _no_model(name: str, sections: Sections) -> str:
    models = sections.written.get("models")
    if isinstance(models, MapNode) and name in models.entries:
        return f"model `{name}` is empty at {models.key_mark(name)}; give it a source"
    return f"no model `{name}`.{nearest(name, sections.names('models'))}"


def model_tree(name: str, sections: Sections) -> MapNode:
    """A model merged over the defaults; nulls are kept, because they reset what they override."""
    mark = sections.names("models")[name].mark
    empty = MapNode({}, mark)
    layers = (sections.sound.get("defaults"), sections.part("models").get(name))
    defaults, model = (node if isinstance(node, MapNode) else empty for node in layers)
    return MapNode(merged_maps(defaults, model).entries, mark)


def instance_configs(
    merged: MergedPlacement, sections: Sections, hosts: Hosts, problems: Problems
) -> list[InstanceConfig]:
    """The instances of one placement, `m`, `m-2`, `m-3`; none where its host is unknown.

    Layers stated by a model or the defaults become 0 where the placement says `gpus: []`, since the
    same model may run on a GPU elsewhere. Layers stated in the placement are left as they are, for
    `checks.py` to refuse.
    """
    host = hosts.known.get(merged.host)
    if host is None:
        return []
    marks = _site_marks(sections.sound, hosts.marks[merged.host])
    marks |= dict(marks_of(merged.node)) | {"": merged.written.mark}
    each = _replicas(merged, problems)
    first = merged.placement.name or merged.placement.model
    names = [first if at == 0 else f"{first}-{at + 1}" for at in range(len(each))]
    if not _names_are_safe(names, merged, problems):
        return []
    fields = _fields(merged, host, sections.manifest, marks, problems)
    if (binary := merged.placement.binary) is not None:
        hosts.known[host.name], fields["binary"] = with_own_archive(host, binary, marks["binary"])
    return [
        InstanceConfig.model_validate({**fields, "name": name, "gpus": gpus, "marks": marks})
        for name, gpus in zip(names, each, strict=True)
    ]


def _replicas(merged: MergedPlacement, problems: Problems) -> list[Gpus]:
    """The GPUs of each replica, one list item a replica."""
    gpus, count = merged.placement.gpus, merged.placement.replicas
    if not isinstance(gpus, tuple) or not gpus or not isinstance(gpus[0], tuple):
        return [gpus] * (count or 1)
    if merged.placement.spread is not None:
        problems.add(
            merged.node.key_mark("spread"),
            "`gpus` lists a replica's GPUs one by one, which leaves nothing to spread; write "
            "`gpus: auto` and `replicas`",
        )
    if count is not None and count != len(gpus):
        problems.add(
            merged.node.key_mark("replicas"),
            f"`replicas` is {count}, but `gpus` lists {len(gpus)}; leave `replicas` out",
        )
    return list(gpus)


def _names_are_safe(names: list[str], merged: MergedPlacement, problems: Problems) -> bool:
    try:
        instance_name(names[-1])
        instance_name(names[0])
    except ValueError as error:
        key = "name" if merged.placement.name else "model"
        hint = "" if merged.placement.name else "; give this placement a `name:`"
        problems.add(merged.written.key_mark(key), f"instance `{names[0]}`: {error}{hint}")
        return False
    return True


def _site_marks(root: MapNode, host_marks: dict[str, Mark]) -> dict[str, Mark]:
    tables = {key: entry for key, entry in root.entries.items() if key in _TABLES}
    marks = dict(marks_of(MapNode(tables, root.mark)))
    for key, mark in host_marks.items():
        field = key.removeprefix("xgen_")
        if field.partition(".")[0] in _TABLES:
            marks[field] = mark
    return marks


def _fields(
    merged: MergedPlacement,
    host: Host,
    manifest: Manifest,
    marks: dict[str, Mark],
    problems: Problems,
) -> dict[str, object]:
    stated = merged.placement
    fields: dict[str, object] = {
        key: value for key in _MERGED if (value := getattr(stated, key)) is not None
    }
    layers_here = "n_gpu_layers" in merged.written.entries and stated.n_gpu_layers is not None
    if stated.gpus == () and not layers_here and stated.n_gpu_layers is not None:
        fields["n_gpu_layers"] = 0
        _warn_unused(stated.n_gpu_layers, merged, problems)
    if stated.api_key is not None:
        fields["api_key"] = absolute_secret(stated.api_key, marks["api_key"])
    if isinstance(stated.source, SourceByFormat) and stated.source.local is not None:
        local = absolute_path(stated.source.local, marks["source.local"])
        fields["local"], fields["source"] = local, local_place(host, stated.model, local)
    if stated.image is not None:
        fields["image"] = absolute_image(stated.image, "image", marks)
    if stated.env is not None:
        fields["env"] = {
            name: absolute_secret(value, marks[f"env.{name}"])
            if isinstance(value, SecretRef)
            else value
            for name, value in stated.env.items()
        }
    return (
        {"source": _NO_SOURCE}
        | fields
        | {
            "host": merged.host,
            "layers_here": layers_here,
            "runtime": host.runtime or manifest.runtime,
            "pull": pull_of(host, manifest.pull),
            "ports": port_range(host.ports or manifest.ports),
            "images": absolute_images(
                {str(key): image for key, image in manifest.images.items()} | host.images, marks
            ),
            "binaries": {k: path for k, path in manifest.binaries.items() if isinstance(path, str)}
            | host.binaries,
        }
    )


def local_place(host: Host, model: str, local: str, content: str = "local") -> str:
    """Where a file of this machine lies on a host. By its content, so that a rollback finds the
    earlier one; before that is known, only what it is called matters."""
    name = local.rstrip("/").rpartition("/")[2]
    return f"{host.model_dir.rstrip('/')}/{model}/{content}/{name}"


def _warn_unused(layers: int | str, merged: MergedPlacement, problems: Problems) -> None:
    if layers not in ("all", "auto", 0, -1):
        problems.warn(
            merged.written.key_mark("gpus"),
            f"n_gpu_layers {layers} of {merged.placement.model} is ignored on {merged.host}: "
            "`gpus: []` is the CPU",
        )
