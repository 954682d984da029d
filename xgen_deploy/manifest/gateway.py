"""The `gateway:` section, its groups expanded to hosts."""

from xgen_deploy.frozen import replace
from xgen_deploy.manifest.diagnostics import Problems
from xgen_deploy.manifest.file_text import absolute_secret
from xgen_deploy.manifest.hosts import Hosts
from xgen_deploy.manifest.node import ListNode, Node, ScalarNode
from xgen_deploy.manifest.sections import Sections
from xgen_deploy.state.instance_config import Mark
from xgen_deploy.state.settings import Gateway


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
    return replace(stated, hosts=tuple(on), host=next(iter(on), None), api_key=key)
