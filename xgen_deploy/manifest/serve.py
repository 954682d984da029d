"""The `serve:` section."""

from collections.abc import Collection

from xgen_deploy.frozen import replace
from xgen_deploy.manifest.diagnostics import Problems, nearest
from xgen_deploy.manifest.file_text import absolute_path
from xgen_deploy.manifest.inventory.hosts import Hosts
from xgen_deploy.manifest.node import ListNode, MapNode, ScalarNode
from xgen_deploy.manifest.sections import Sections
from xgen_deploy.state.serve import Serve, ServeTLS


def serve_section(sections: Sections, hosts: Hosts, problems: Problems) -> Serve | None:
    """With absolute paths; what a user is limited to must exist."""
    stated = sections.manifest.serve
    if stated is None:
        return None
    part = sections.part("serve")
    _check_users(part, sections, hosts, problems)
    tls, node = stated.tls, part.get("tls")
    if tls is None or not isinstance(node, MapNode):
        return stated
    cert = absolute_path(tls.cert, node.key_mark("cert"))
    key = absolute_path(tls.key, node.key_mark("key"))
    return replace(stated, tls=ServeTLS(cert=cert, key=key))


def _check_users(part: MapNode, sections: Sections, hosts: Hosts, problems: Problems) -> None:
    users = part.get("users")
    entries = users.entries if isinstance(users, MapNode) else {}
    places = {*hosts.known, *hosts.groups()}
    models = sections.names("models")
    for name, entry in entries.items():
        if isinstance(entry.node, MapNode):
            _check_names(name, entry.node, "hosts", "host or group", places, problems)
            _check_names(name, entry.node, "models", "model", models, problems)


def _check_names(
    user: str, node: MapNode, field: str, what: str, known: Collection[str], problems: Problems
) -> None:
    items = node.get(field)
    for item in items.items if isinstance(items, ListNode) else ():
        text = item.text if isinstance(item, ScalarNode) else ""
        if text not in known:
            problems.add(item.mark, f"user `{user}`: no {what} `{text}`.{nearest(text, known)}")
