"""Placements spread over their hosts: groups expanded, own entries laid over, models merged in."""

from dataclasses import dataclass

from pydantic import ValidationError

from xgen_deploy.manifest.diagnostics import Problems, nearest
from xgen_deploy.manifest.error_messages import report
from xgen_deploy.manifest.hosts import Hosts
from xgen_deploy.manifest.merge import merged_maps, placements
from xgen_deploy.manifest.node import ListNode, MapNode, ScalarNode, plain, without_nulls
from xgen_deploy.manifest.schema import Placement
from xgen_deploy.manifest.sections import Sections


@dataclass(frozen=True)
class Draft:
    """One placement on one host. `own` is what the placement itself says, `node` the same over
    its model and the defaults, `placement` that as values."""

    host: str
    own: MapNode
    node: MapNode
    placement: Placement


def placed(sections: Sections, hosts: Hosts) -> dict[str, ListNode]:
    """The placements of each host, hosts in the order of the manifest.

    What a group gives is merged by instance name, in Ansible's order of precedence, the host's
    own entry last; an empty list clears what came before it.
    """
    expanded: list[tuple[str, str, ListNode]] = []
    for name, entry in sections.names("hosts").items():
        node = sections.part("hosts").get(name)
        for host in hosts.named(name, entry.mark):
            if isinstance(node, ListNode):
                expanded.append((host, name, node))
    result: dict[str, ListNode] = {host: ListNode((), node.mark) for host, _, node in expanded}
    for host, _, node in sorted(expanded, key=lambda one: hosts.depth(one[1])):
        result[host] = placements(result[host], node)
    return result


def drafts(sections: Sections, by_host: dict[str, ListNode], problems: Problems) -> list[Draft]:
    """Every placement whose model exists, merged and checked."""
    made: list[Draft] = []
    for host, node in by_host.items():
        for own in node.items:
            if isinstance(own, MapNode) and (draft := _draft(host, own, sections, problems)):
                made.append(draft)
    return made


def _draft(host: str, own: MapNode, sections: Sections, problems: Problems) -> Draft | None:
    name = own.get("model")
    if not isinstance(name, ScalarNode) or not isinstance(name.value, str):
        return None
    if name.value not in sections.names("models"):
        problems.add(name.mark, _no_model(name.value, sections))
        return None
    node = without_nulls(merged_maps(model_tree(name.value, sections), own))
    try:
        placement = Placement.model_validate(plain(node), context=sections.words)
        return Draft(host, own, node, placement)
    except ValidationError as error:
        report(error, node, Placement, problems)
        return None


def _no_model(name: str, sections: Sections) -> str:
    models = sections.written.get("models")
    if isinstance(models, MapNode) and name in models.entries:
        return f'model "{name}" is empty at {models.key_mark(name)}; give it a source'
    return f'no model "{name}".{nearest(name, sections.names("models"))}'


def model_tree(name: str, sections: Sections) -> MapNode:
    """A model over the defaults; nulls are kept, so that they reset what lies under them."""
    mark = sections.names("models")[name].mark
    empty = MapNode({}, mark)
    layers = (sections.sound.get("defaults"), sections.part("models").get(name))
    defaults, model = (node if isinstance(node, MapNode) else empty for node in layers)
    return MapNode(merged_maps(defaults, model).entries, mark)
