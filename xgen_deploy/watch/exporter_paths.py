"""Names and paths of the exporter on a host. Pure."""

from typing import Final

from xgen_deploy.state.layout import Layout

EXPORTER: Final = "exporter"


def program_file(layout: Layout) -> str:
    return f"{layout.state_dir}/exporter.py"


def settings_file(layout: Layout) -> str:
    return f"{layout.state_dir}/exporter.json"


def tls_file(layout: Layout) -> str:
    """Certificate and key; root's alone."""
    return f"{layout.settings(EXPORTER)}/tls.pem"


def facts_folder(layout: Layout) -> str:
    """Below /run; whoever is on the host may read what is in it."""
    return f"xgen-deploy/{layout.project}"


def facts_file(layout: Layout) -> str:
    return f"/run/{facts_folder(layout)}/facts.json"


def text_file(layout: Layout, folder: str) -> str:
    """In a node exporter's folder, where one was asked for: the project's one file."""
    return f"{folder}/xgen-{layout.project}.prom"


def facts_unit(layout: Layout) -> str:
    """The name of the collector's timer and service; like the watchdog's without a hyphen after
    the project, so that no instance can have the same name."""
    return f"xgen-{layout.project}.facts"
