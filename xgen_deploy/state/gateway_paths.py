"""Where a gateway's things lie on its host."""

from xgen_deploy.state.gateway import GATEWAY
from xgen_deploy.state.layout import Layout


def run_folder(layout: Layout) -> str:
    return f"/run/{layout.service(GATEWAY)}"


def gateway_socket(layout: Layout) -> str:
    """Where a running gateway takes commands; root's and its own user's alone."""
    return f"{run_folder(layout)}/admin.sock"


def config_file(layout: Layout) -> str:
    return f"{layout.settings(GATEWAY)}/haproxy.cfg"


def proof_key_file(layout: Layout) -> str:
    """The key that the gateway alone knows, and with which it is proved: root's alone."""
    return f"{layout.settings(GATEWAY)}/proof.key"


def keys_file(layout: Layout) -> str:
    return f"{layout.settings(GATEWAY)}/keys.cfg"
