"""What the manifest asks for its monitoring, before hosts are observed. Pure."""

from collections.abc import Mapping

from xgen_deploy.resolve.gateway_needs import everywhere
from xgen_deploy.state.host import Host
from xgen_deploy.state.monitoring_config import ALERTMANAGER, EXPORTER, GRAFANA, PROMETHEUS
from xgen_deploy.state.site import Site

USUAL_BINARIES: Mapping[str, tuple[str, ...]] = {
    PROMETHEUS: ("/usr/bin/prometheus", "/usr/local/bin/prometheus"),
    ALERTMANAGER: (
        "/usr/bin/prometheus-alertmanager",
        "/usr/local/bin/alertmanager",
        "/usr/bin/alertmanager",
    ),
    GRAFANA: ("/usr/share/grafana/bin/grafana", "/usr/local/bin/grafana"),
}


def is_monitoring_host(site: Site, host: str) -> bool:
    return site.monitoring is not None and site.monitoring.host == host


def watched_hosts(site: Site) -> tuple[str, ...]:
    """Those with an exporter: that have instances or the gateway, with what `--limit` cut off. A
    host of the runtime process has none.
    """
    if site.monitoring is None:
        return ()
    gateway = (site.gateway.hosts or ()) if site.gateway else ()
    watched = {c.host for c in everywhere(site) if c.runtime != "process"} | set(gateway)
    return tuple(sorted(watched))


def programs(site: Site) -> tuple[str, ...]:
    """What runs on the monitoring host."""
    stated = site.monitoring
    if stated is None:
        return ()
    runs_grafana = stated.grafana is not None and stated.grafana.provision is None
    wanted = {PROMETHEUS: True, ALERTMANAGER: stated.alerts is not None, GRAFANA: runs_grafana}
    return tuple(program for program, runs in wanted.items() if runs)


def program_binaries(site: Site, host: Host, program: str) -> tuple[str, ...]:
    """The stated one, or the usual paths of distributions; the first that exists is used."""
    stated = host.binaries.get(program) or site.binaries.get(program)
    return (stated,) if stated else USUAL_BINARIES[program]


def monitoring_files(site: Site, host: Host) -> tuple[str, ...]:
    """The files of it that the probe reports on."""
    if site.monitoring is None or not is_monitoring_host(site, host.name):
        return ()
    binaries = (b for p in programs(site) for b in program_binaries(site, host, p))
    tls = site.monitoring.tls
    return (*binaries, *((tls.cert, tls.key) if tls else ()))


def monitoring_ports(site: Site, host: str) -> dict[str, int]:
    """Its ports on a host, which no instance may take."""
    stated = site.monitoring
    if stated is None:
        return {}
    ports = {EXPORTER: stated.exporter_port} if host in watched_hosts(site) else {}
    if is_monitoring_host(site, host):
        ports[PROMETHEUS] = stated.port
        if stated.alerts is not None:
            ports[ALERTMANAGER] = stated.alerts.port
        if stated.grafana is not None and stated.grafana.provision is None:
            ports[GRAFANA] = stated.grafana.port
    return ports
