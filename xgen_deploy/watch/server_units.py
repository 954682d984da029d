"""The units of Prometheus, Alertmanager and Grafana. Pure."""

from dataclasses import dataclass

from xgen_deploy.render.rendered import File
from xgen_deploy.render.templates import Templates
from xgen_deploy.state.field_types import size_bytes
from xgen_deploy.state.layout import Layout
from xgen_deploy.state.monitoring import ServerSpec
from xgen_deploy.state.monitoring_config import ALERTMANAGER, GRAFANA, PROMETHEUS
from xgen_deploy.state.monitoring_paths import (
    TOKEN,
    credential,
    data_folder,
    run_folder,
    shown_folder,
    token_file,
)

_PRIVILEGED = 1024
_BIND_LOW_PORTS = "CAP_NET_BIND_SERVICE"
ADMIN_PASSWORD = "admin-password"  # noqa: S105 - a file's name
# With which Grafana asks Prometheus.
LOGIN = "prometheus-password"
WEB = "web.yml"
RECEIVERS = "alertmanager.yml"
Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class _Unit:
    """`credentials` are names and files, `environment` names and values."""

    program: str
    argv: tuple[str, ...]
    port: int
    credentials: Pairs = ()
    environment: Pairs = ()
    reloads: bool = False


def server_units(spec: ServerSpec, layout: Layout, templates: Templates) -> tuple[File, ...]:
    """One a program, Prometheus' first."""
    units = [_prometheus(spec, layout)]
    if spec.alertmanager is not None and spec.alerts is not None:
        units.append(_alertmanager(spec, spec.alerts.port, layout))
    if spec.grafana_program is not None and spec.grafana is not None:
        units.append(_grafana(spec, spec.grafana.port, layout))
    return tuple(_file(unit, layout, templates) for unit in units)


def _prometheus(spec: ServerSpec, layout: Layout) -> _Unit:
    run = run_folder(layout, PROMETHEUS)
    size = size_bytes(spec.retention_size) if spec.retention_size else None
    # The user that its settings name is this unit's; a password is never on a command line.
    argv = (
        spec.prometheus.binary,
        f"--config.file={run}/prometheus.yml",
        f"--storage.tsdb.path={data_folder(layout, PROMETHEUS)}",
        f"--storage.tsdb.retention.time={spec.retention}",
        *((f"--storage.tsdb.retention.size={size}B",) if size else ()),
        f"--web.listen-address={_listen(spec.listen, spec.port)}",
        *((f"--web.config.file={credential(layout, PROMETHEUS, WEB)}",) if has_web(spec) else ()),
    )
    settings = layout.settings(PROMETHEUS)
    credentials: Pairs = ((TOKEN, token_file(layout)),)
    if has_web(spec):
        credentials += ((WEB, f"{settings}/{WEB}"),)
    return _Unit(PROMETHEUS, argv, spec.port, (*credentials, *tls_credentials(spec)), reloads=True)


def has_web(spec: ServerSpec) -> bool:
    """Whether who looks at Prometheus needs a login, or TLS."""
    return spec.tls is not None or bool(spec.users)


def tls_credentials(spec: ServerSpec) -> Pairs:
    return (("tls.crt", spec.tls.cert), ("tls.key", spec.tls.key)) if spec.tls else ()


def _alertmanager(spec: ServerSpec, port: int, layout: Layout) -> _Unit:
    """It talks to Prometheus alone, so it is on loopback whatever `listen` is."""
    binary = spec.alertmanager.binary if spec.alertmanager else ""
    argv = (
        binary,
        f"--config.file={credential(layout, ALERTMANAGER, RECEIVERS)}",
        f"--storage.path={data_folder(layout, ALERTMANAGER)}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
    )
    receivers = (RECEIVERS, f"{layout.settings(ALERTMANAGER)}/{RECEIVERS}")
    return _Unit(ALERTMANAGER, argv, port, (receivers,))


def _grafana(spec: ServerSpec, port: int, layout: Layout) -> _Unit:
    binary = spec.grafana_program.binary if spec.grafana_program else ""
    run = run_folder(layout, GRAFANA)
    home = binary.rpartition("/bin/")[0] or "/usr/share/grafana"
    argv = (binary, "server", f"--homepath={home}", f"--config={run}/grafana.ini")
    names = (ADMIN_PASSWORD, LOGIN) if spec.users else (ADMIN_PASSWORD,)
    passwords = tuple((name, f"{layout.settings(GRAFANA)}/{name}") for name in names)
    where = credential(layout, GRAFANA, ADMIN_PASSWORD)
    return _Unit(
        GRAFANA,
        argv,
        port,
        (*passwords, *tls_credentials(spec)),
        (("GF_SECURITY_ADMIN_PASSWORD__FILE", where),),
    )


def _listen(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _file(unit: _Unit, layout: Layout, templates: Templates) -> File:
    values = {
        "project": layout.project,
        "program": unit.program,
        "service": layout.service(unit.program),
        "argv": unit.argv,
        "reloads": unit.reloads,
        "credentials": unit.credentials,
        "environment": unit.environment,
        "shown": shown_folder(layout, unit.program),
        "run": run_folder(layout, unit.program),
        "capabilities": _BIND_LOW_PORTS if unit.port < _PRIVILEGED else "",
    }
    text = templates.text("monitoring.service.j2", values)
    return File(layout.definition(unit.program), text, 0o644)
