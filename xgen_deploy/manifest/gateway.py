"""The `gateway:` section, its groups expanded to hosts."""

from xgen_deploy.frozen import replace
from xgen_deploy.manifest.diagnostics import Problems, nearest
from xgen_deploy.manifest.file_text import absolute_path, absolute_secret
from xgen_deploy.manifest.inventory.hosts import Hosts
from xgen_deploy.manifest.node import ListNode, MapNode, Node, ScalarNode
from xgen_deploy.manifest.sections import Sections
from xgen_deploy.state.instance_config import Mark
from xgen_deploy.state.settings import Gateway, GatewayClient, SecretRef


def gateway_hosts(sections: Sections, hosts: Hosts, problems: Problems) -> dict[str, Mark]:
    """The gateway's hosts, groups expanded, and where each was named."""
    section = sections.part("gateway")
    if sections.manifest.gateway is None:
        return {}
    single, several = section.get("host"), section.get("hosts")
    nodes = [node for node in (single, *_items(several)) if isinstance(node, ScalarNode)]
    nodes = [node for node in nodes if isinstance(node.value, str)]
    stated = sections.manifest.gateway
    if (stated.host is None) == (stated.hosts is None):
        mark = sections.written.key_mark("gateway")
        problems.add(mark, "a gateway has either `host` or `hosts`; give one of them")
    return {host: node.mark for node in nodes for host in hosts.named(node.text, node.mark)}


def _items(node: Node | None) -> tuple[Node, ...]:
    return node.items if isinstance(node, ListNode) else ()


def whole_gateway(sections: Sections, on: dict[str, Mark]) -> Gateway | None:
    """With `hosts` filled in, however it was written, and `host` the first of them."""
    stated = sections.manifest.gateway
    if stated is None:
        return None
    key = stated.api_key
    if key is not None:
        key = absolute_secret(key, sections.part("gateway").key_mark("api_key"))
    clients = _clients(stated, sections)
    host = next(iter(on), None)
    return replace(stated, hosts=tuple(on), host=host, api_key=key, clients=clients)


def check_runtime(
    sections: Sections, on: dict[str, Mark], hosts: Hosts, problems: Problems
) -> None:
    """It is a systemd unit."""
    for name, mark in on.items():
        if (hosts.known[name].runtime or sections.manifest.runtime) == "process":
            problems.add(
                mark,
                f"{name}: the gateway is a systemd unit, and this host's runtime is `process`; "
                "put it on a host whose runtime is `docker` or `systemd`",
            )


def _clients(stated: Gateway, sections: Sections) -> dict[str, GatewayClient] | None:
    """With the paths of their keys' files absolute."""
    nodes = _client_nodes(sections)
    return stated.clients and {
        name: replace(client, file=absolute_path(client.file, nodes[name].key_mark("file")))
        if client.file is not None
        else client
        for name, client in stated.clients.items()
    }


def _client_nodes(sections: Sections) -> dict[str, MapNode]:
    clients = sections.part("gateway").get("clients")
    entries = clients.entries if isinstance(clients, MapNode) else {}
    return {name: e.node for name, e in entries.items() if isinstance(e.node, MapNode)}


def check_clients(sections: Sections, problems: Problems) -> None:
    """Each has a key of its own, and models that there are."""
    known = sections.names("models")
    stated = sections.manifest.gateway
    keys: dict[SecretRef, str] = {}
    if stated is not None and stated.api_key is not None:
        keys[stated.api_key] = "gateway.api_key"
    for name, node in _client_nodes(sections).items():
        client = (stated.clients or {}).get(name) if stated else None
        if client is not None:
            first = keys.setdefault(client.key, f"client `{name}`")
            if first != f"client `{name}`":
                problems.add(node.mark, f"client `{name}` has the key of {first}; give it its own")
        models = node.get("models")
        for item in models.items if isinstance(models, ListNode) else ():
            text = item.text if isinstance(item, ScalarNode) else ""
            if text not in known:
                problems.add(
                    item.mark, f"client `{name}`: no model `{text}`.{nearest(text, known)}"
                )
