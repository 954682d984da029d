"""What the monitoring host's programs read, without secrets. Pure."""

from collections.abc import Iterator

from xgen_deploy.render.rendered import File
from xgen_deploy.state.layout import Layout
from xgen_deploy.state.monitoring import ServerSpec
from xgen_deploy.state.monitoring_config import GRAFANA, PROMETHEUS
from xgen_deploy.state.monitoring_paths import (
    PROGRAMS,
    TOKEN,
    credential,
    data_folder,
    run_folder,
    shown_folder,
)
from xgen_deploy.watch.grafana import GrafanaPaths, grafana_files
from xgen_deploy.watch.prometheus import prometheus_config, targets
from xgen_deploy.watch.rules.file import rules_file
from xgen_deploy.watch.server_units import LOGIN

TARGETS = "targets.json"


def server_files(spec: ServerSpec, layout: Layout, certificates: str) -> tuple[File, ...]:
    """`certificates` are of all exporters, PEM."""
    return (*_prometheus(spec, layout, certificates), *_grafana(spec, layout))


def targets_path(layout: Layout) -> str:
    return f"{shown_folder(layout, PROMETHEUS)}/{TARGETS}"


def is_ours(path: str, layout: Layout, spec: ServerSpec | None) -> bool:
    """Whether a file that a record names may be removed: it is shown to a program, or was written
    for the Grafana that `spec` names and has the project's name.
    """
    if ".." in path.split("/"):
        return False
    if any(path.startswith(f"{shown_folder(layout, program)}/") for program in PROGRAMS):
        return True
    folder = spec.grafana.provision if spec is not None and spec.grafana is not None else None
    if folder is None or not path.startswith(f"{folder}/"):
        return False
    return f"/xgen-{layout.project}" in path.removeprefix(folder)


def _prometheus(spec: ServerSpec, layout: Layout, certificates: str) -> Iterator[File]:
    folder = shown_folder(layout, PROMETHEUS)
    token = credential(layout, PROMETHEUS, TOKEN)
    texts = {
        "prometheus.yml": prometheus_config(spec, run_folder(layout, PROMETHEUS), token),
        "rules.yml": rules_file(),
        TARGETS: targets(layout.project, spec.targets),
        "ca.pem": certificates,
    }
    yield from (File(f"{folder}/{name}", text, 0o644) for name, text in texts.items())


def _grafana(spec: ServerSpec, layout: Layout) -> Iterator[File]:
    if spec.grafana is None:
        return
    provided = spec.grafana.provision
    folder = provided or shown_folder(layout, GRAFANA)
    for name, text in grafana_files(layout.project, spec, _paths(spec, layout)).items():
        yield File(f"{folder}/{name}", text, 0o644)


def _paths(spec: ServerSpec, layout: Layout) -> GrafanaPaths:
    """As Grafana sees them. One that is there already is given no login: its folder may be read by
    others.
    """
    if spec.grafana is not None and spec.grafana.provision is not None:
        return GrafanaPaths(folder=spec.grafana.provision)
    user = next(iter(spec.users), None)
    cert, key = (
        credential(layout, GRAFANA, name) if spec.tls else None for name in ("tls.crt", "tls.key")
    )
    return GrafanaPaths(
        folder=run_folder(layout, GRAFANA),
        data=data_folder(layout, GRAFANA),
        cert=cert,
        key=key,
        login=(user, credential(layout, GRAFANA, LOGIN)) if user is not None else None,
    )
