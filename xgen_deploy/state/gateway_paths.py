"""The paths of a gateway on its host."""

from xgen_deploy.state.gateway import GATEWAY
from xgen_deploy.state.layout import Layout


def run_folder(layout: Layout) -> str:
    return f"/run/{layout.service(GATEWAY)}"


def gateway_socket(layout: Layout) -> str:
    """The runtime socket of a running gateway; only root and its own user may use it."""
    return f"{run_folder(layout)}/admin.sock"


def config_file(layout: Layout) -> str:
    return f"{layout.settings(GATEWAY)}/haproxy.cfg"


def proof_key_file(layout: Layout) -> str:
    """The gateway's own key, used for its verification; only root may read it."""
    return f"{layout.settings(GATEWAY)}/proof.key"


def keys_file(layout: Layout) -> str:
    return f"{layout.settings(GATEWAY)}/keys.cfg"
