"""Names and paths of Prometheus, Alertmanager and Grafana on the monitoring host.

What in a folder of settings is not secret is shown to a unit as `/run/UNIT/…`, whatever user it
runs as; secrets reach it as systemd's credentials.
"""

from typing import Final

from xgen_deploy.state.layout import Layout
from xgen_deploy.state.monitoring_config import ALERTMANAGER, GRAFANA, PROMETHEUS

PROGRAMS: Final = (PROMETHEUS, ALERTMANAGER, GRAFANA)
# Beneath the folder of a program's settings: what its user may read.
SHOWN: Final = "shown"
TOKEN: Final = "token"  # noqa: S105 - a file's name


def shown_folder(layout: Layout, program: str) -> str:
    """Where it lies on the host."""
    return f"{layout.settings(program)}/{SHOWN}"


def run_folder(layout: Layout, program: str) -> str:
    """Where its unit sees that folder."""
    return f"/run/{layout.service(program)}"


def credential(layout: Layout, program: str, name: str) -> str:
    """Where its unit sees a secret."""
    return f"/run/credentials/{layout.service(program)}.service/{name}"


def token_file(layout: Layout) -> str:
    """What Prometheus shows to the exporters; root's alone."""
    return f"{layout.settings(PROMETHEUS)}/{TOKEN}"


def data_folder(layout: Layout, program: str) -> str:
    return f"/var/lib/{layout.service(program)}"
