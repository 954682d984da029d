"""A merged manifest as YAML, each value with the place that it comes from as a comment."""

from collections.abc import Iterator

from xgen_deploy.manifest.node import ListNode, MapNode, Node, ScalarNode, plain
from xgen_deploy.manifest.site_views import SiteViews, Used
from xgen_deploy.manifest.substitute import as_text
from xgen_deploy.manifest.yaml_text import yaml_line
from xgen_deploy.state.instance_config import Mark

_WIDEST = 60
_HOSTS = "hosts"
_Line = tuple[str, str]  # its text, and where its value comes from


def annotated_yaml(tree: MapNode, views: SiteViews) -> Iterator[str]:
    """Lines."""
    rest, hosts = _parts(tree)
    lines = [*_map(rest, "", views.used), (f"{_HOSTS}:", "")]
    for name, node in hosts.items():
        lines += _entry(f"  {yaml_line(name)}:", node, "    ", views.used_on(name))
    width = min(_WIDEST, max((len(text) for text, place in lines if place), default=0))
    for text, place in lines:
        yield f"{text.ljust(width)}  # {place}" if place else text


def places(tree: MapNode, views: SiteViews) -> dict[str, str]:
    """`hosts.gpu-01.0.n_ctx` -> where its value comes from."""
    rest, hosts = _parts(tree)
    found = dict(_places(rest, views.used, ""))
    for name, node in hosts.items():
        found |= _places(node, views.used_on(name), f"{_HOSTS}.{name}")
    return found


def _parts(tree: MapNode) -> tuple[MapNode, dict[str, Node]]:
    """What belongs to no host, and what each host runs: with its own variables."""
    rest = {key: entry for key, entry in tree.entries.items() if key != _HOSTS}
    hosts = tree.get(_HOSTS)
    entries = hosts.entries if isinstance(hosts, MapNode) else {}
    return MapNode(rest, tree.mark), {name: entry.node for name, entry in entries.items()}


def _places(node: Node, used: Used, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(node, MapNode):
        for key, entry in node.entries.items():
            yield from _places(entry.node, used, f"{path}.{key}" if path else key)
    elif isinstance(node, ListNode) and any(not isinstance(i, ScalarNode) for i in node.items):
        for at, item in enumerate(node.items):
            yield from _places(item, used, f"{path}.{at}")
    else:
        yield path, _origin(node.mark, used)


def _origin(mark: Mark, used: Used) -> str:
    """The line of a value; of a variable the line of its value too."""
    if mark not in used:
        return _line(mark)
    name, stated = used[mark]
    return f"{_line(mark)} ${{{name}}}, {_line(stated)}"


def _line(mark: Mark) -> str:
    return mark.file if mark.file.startswith("-e ") else f"{mark.file}:{mark.line}"


def _map(node: MapNode, indent: str, used: Used) -> Iterator[_Line]:
    for key, entry in node.entries.items():
        yield from _entry(f"{indent}{yaml_line(key)}:", entry.node, f"{indent}  ", used)


def _entry(head: str, node: Node, indent: str, used: Used) -> Iterator[_Line]:
    if isinstance(node, MapNode) and node.entries:
        yield head, ""
        yield from _map(node, indent, used)
    elif isinstance(node, ListNode) and any(isinstance(item, MapNode) for item in node.items):
        yield head, ""
        for item in node.items:
            yield from _item(item, indent, used)
    else:
        yield f"{head} {yaml_line(as_text(plain(node)))}", _origin(node.mark, used)


def _item(node: Node, indent: str, used: Used) -> Iterator[_Line]:
    if not isinstance(node, MapNode):
        yield f"{indent}- {yaml_line(as_text(plain(node)))}", _origin(node.mark, used)
        return
    for at, (text, place) in enumerate(_map(node, f"{indent}  ", used)):
        yield (f"{indent}- {text.lstrip()}" if at == 0 else text), place
