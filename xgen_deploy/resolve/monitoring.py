"""Resolves the manifest's monitoring on one host to its spec, or refuses it. Pure."""

import ipaddress
from collections.abc import Container, Iterator, Mapping

from xgen_deploy.errors import XgenError
from xgen_deploy.resolve.gateway_needs import EVERYWHERE, LOOPBACK
from xgen_deploy.resolve.monitoring_needs import (
    is_monitoring_host,
    monitoring_ports,
    program_binaries,
    programs,
    watched_hosts,
)
from xgen_deploy.sizes import size_text
from xgen_deploy.state.facts import HostFacts
from xgen_deploy.state.field_types import size_bytes
from xgen_deploy.state.host import Host
from xgen_deploy.state.instance import Refusal
from xgen_deploy.state.layout import Layout
from xgen_deploy.state.monitoring import (
    ANYBODY,
    ExporterSpec,
    MonitoringRecord,
    MonitoringSpec,
    Program,
    ServerSpec,
    Target,
    certificate_digest,
)
from xgen_deploy.state.monitoring_config import (
    ALERTMANAGER,
    GRAFANA,
    MONITORING,
    PROMETHEUS,
    Monitoring,
)
from xgen_deploy.state.monitoring_paths import PROGRAMS, data_folder
from xgen_deploy.state.record import Record
from xgen_deploy.state.site import Site

# The first that hands credentials to units.
_SYSTEMD = 247
# How long before its end an exporter's certificate is made anew.
_RENEWED = 30 * 86400.0
# Of the disk, what Prometheus leaves: it writes ahead beyond its own limit.
_ROOM = 0.8
# Debian's; Grafana is not among them.
_PACKAGES = {PROMETHEUS: "prometheus", ALERTMANAGER: "prometheus-alertmanager"}


class NotWatched(XgenError):
    """The host cannot be watched, or cannot watch; `refusal` says why and what to do."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(str(refusal))
        self.refusal = refusal


def resolve_monitoring(
    site: Site,
    stated: Monitoring,
    host: Host,
    facts: HostFacts,
    layout: Layout,
    records: Mapping[str, Record],
    remade: Container[str] = (),
) -> MonitoringSpec:
    """What watches on the host; nothing in it where nothing does. `records` are of all hosts that
    were seen, `remade` those that get another certificate. Raises NotWatched.
    """
    exporter = exporter_spec(site, stated, host) if host.name in watched_hosts(site) else None
    if exporter is None and not is_monitoring_host(site, host.name):
        return MonitoringSpec()
    _check_host(site, host, facts, layout)
    server = None
    if is_monitoring_host(site, host.name):
        last = records[host.name].monitoring if host.name in records else None
        server = _server(site, stated, host, facts, targets(site, stated, records, last, remade))
    return MonitoringSpec(exporter=exporter, server=server)


def exporter_spec(site: Site, stated: Monitoring, host: Host) -> ExporterSpec:
    address = address_of(stated, host)
    alone = address == LOOPBACK
    return ExporterSpec(
        listen=LOOPBACK if alone else EVERYWHERE,
        address=address,
        port=stated.exporter_port,
        allow=() if alone else _asking(site, stated) or (ANYBODY,),
        textfile=stated.textfile,
        token=stated.token,
    )


def address_of(stated: Monitoring, host: Host) -> str:
    """How the exporter there is reached: on the monitoring host itself on loopback, unless others
    ask it too.
    """
    if stated.host == host.name and not stated.allow:
        return LOOPBACK
    return host.client_address or host.address or host.name


def _asking(site: Site, stated: Monitoring) -> tuple[str, ...]:
    """Who may ask the exporters; () where the monitoring host is known by its name alone."""
    own = asking_addresses(site, stated)
    return tuple(dict.fromkeys((*own, *(stated.allow or ())))) if own else ()


def asking_addresses(site: Site, stated: Monitoring) -> tuple[str, ...]:
    """Of the monitoring host, where the inventory has an address and not only a name."""
    host = site.hosts.get(stated.host) or site.other_hosts.get(stated.host)
    known = (host.peer_address, host.client_address, host.address) if host else ()
    return tuple(dict.fromkeys(a for a in known if a is not None and _is_address(a)))


def _is_address(text: str) -> bool:
    try:
        return not ipaddress.ip_address(text).is_loopback
    except ValueError:
        return False


def targets(
    site: Site,
    stated: Monitoring,
    records: Mapping[str, Record],
    last: MonitoringRecord | None,
    remade: Container[str] = (),
) -> tuple[Target, ...]:
    """The exporters, in the hosts' order. Of a host that was not seen, what Prometheus had."""
    hosts = {**site.hosts, **site.other_hosts}
    before = {t.host: t for t in last.spec.server.targets} if last and last.spec.server else {}
    every = []
    for name in watched_hosts(site):
        if name not in records and name in before:
            every.append(before[name])
            continue
        own = records[name].monitoring if name in records else None
        known = own.certificate if own and name not in remade else None
        every.append(
            Target(
                host=name,
                address=address_of(stated, hosts[name]),
                port=stated.exporter_port,
                certificate=certificate_digest(known) if known else None,
            )
        )
    return tuple(every)


def remade_certificates(
    site: Site, stated: Monitoring, records: Mapping[str, Record], now: float
) -> frozenset[str]:
    """Hosts whose exporter is to get a certificate: its first, for another address, or in time."""
    hosts = {**site.hosts, **site.other_hosts}
    return frozenset(
        name
        for name in watched_hosts(site)
        if name in records
        and name in site.hosts
        and not certificate_holds(records[name].monitoring, address_of(stated, hosts[name]), now)
    )


def certificate_holds(last: MonitoringRecord | None, address: str, now: float) -> bool:
    """Whether the exporter's certificate is for this address, and for a while yet."""
    if last is None or last.certificate is None or last.spec.exporter is None:
        return False
    return last.spec.exporter.address == address and not ends_soon(last, now)


def ends_soon(last: MonitoringRecord, now: float) -> bool:
    return last.certificate_ends is not None and last.certificate_ends < now + _RENEWED


def _server(
    site: Site, stated: Monitoring, host: Host, facts: HostFacts, every: tuple[Target, ...]
) -> ServerSpec:
    binaries = {p: Program(binary=b) for p, b in _binaries(site, host, facts).items()}
    return ServerSpec(
        prometheus=binaries[PROMETHEUS],
        alertmanager=binaries.get(ALERTMANAGER),
        grafana_program=binaries.get(GRAFANA),
        listen=stated.listen,
        port=stated.port,
        retention=stated.retention,
        retention_size=stated.retention_size,
        interval=stated.interval,
        tls=stated.tls,
        users=stated.users or {},
        alerts=stated.alerts,
        grafana=stated.grafana,
        token=stated.token,
        targets=every,
    )


def monitoring_warnings(
    site: Site, stated: Monitoring, host: Host, facts: HostFacts, layout: Layout
) -> Iterator[str]:
    """Clauses for the plan of one host; none of them refuses anything."""
    if is_monitoring_host(site, host.name):
        yield from _disk_warning(stated, facts, layout)
        others = [name for name in watched_hosts(site) if name != stated.host]
        if others and not asking_addresses(site, stated):
            yield (
                f"the inventory has no address of {stated.host}, so the exporters of "
                f"{', '.join(others[:5])} cannot keep others from asking them but by their token; "
                f"give it one: `xgen_address: 10.0.0.5`"
            )


def _disk_warning(stated: Monitoring, facts: HostFacts, layout: Layout) -> Iterator[str]:
    if stated.retention_size is None:
        return
    path = data_folder(layout, PROMETHEUS)
    folder = next((f for f in facts.folders if f.path == path), None)
    asked = size_bytes(stated.retention_size)
    if folder is not None and asked > folder.free * _ROOM:
        yield (
            f"monitoring may take {size_text(asked)} (`retention_size`), and {path} has "
            f"{size_text(folder.free)} free; Prometheus needs a fifth of that beside its values"
        )


def _check_host(site: Site, host: Host, facts: HostFacts, layout: Layout) -> None:
    version = int(facts.systemd) if facts.systemd and facts.systemd.isdigit() else 0
    if facts.systemd is None or 0 < version < _SYSTEMD:
        found = f"systemd {facts.systemd}" if facts.systemd else "no systemd"
        raise _no(
            host,
            f"monitoring needs systemd {_SYSTEMD} or later, and this host has {found}",
            "Leave the host out of the manifest's `hosts:`, or leave `monitoring:` out.",
        )
    ours = {f"{layout.service(name)}.service" for name in PROGRAMS}
    ours |= {f"{layout.service('exporter')}.{kind}" for kind in ("service", "socket")}
    for name, number in monitoring_ports(site, host.name).items():
        for port in facts.ports:
            if port.port == number and port.unit not in ours and not _is_systemd(port.process):
                holder = f"{port.process} (pid {port.pid})" if port.process else "another process"
                key = {"exporter": "exporter_port", PROMETHEUS: "port"}.get(name, f"{name}.port")
                raise _no(
                    host,
                    f"port {number} ({name}) is held by {holder}",
                    f"Stop it, or choose another `{key}` in `monitoring:`.",
                )
    stated = site.monitoring
    tls = stated.tls if stated is not None and is_monitoring_host(site, host.name) else None
    for path in (tls.cert, tls.key) if tls else ():
        if not path.startswith("/"):
            raise _no(host, f"tls: {path} is not an absolute path", "Write the path on this host.")
        if any(f.path == path and f.kind == "absent" for f in facts.files):
            raise _no(
                host, f"tls: {path} does not exist", "Put the file there, readable by root alone."
            )


def _is_systemd(process: str | None) -> bool:
    """It holds the exporter's socket while nobody asks."""
    return process == "systemd"


def _binaries(site: Site, host: Host, facts: HostFacts) -> dict[str, str]:
    """Those that the host has. Raises NotWatched, with all that are missing at once."""
    files = {f.path for f in facts.files if f.kind == "file"}
    candidates = {program: program_binaries(site, host, program) for program in programs(site)}
    binaries = {
        program: path
        for program, paths in candidates.items()
        if (path := next((p for p in paths if p in files), None)) is not None
    }
    missing = [program for program in candidates if program not in binaries]
    if missing:
        raise _not_installed(host, {program: candidates[program] for program in missing})
    return binaries


def _not_installed(host: Host, missing: Mapping[str, tuple[str, ...]]) -> NotWatched:
    packages = [_PACKAGES[program] for program in missing if program in _PACKAGES]
    ways = [f"`apt-get install {' '.join(packages)}`"] if packages else []
    ways += ["Grafana from its own packages"] if GRAFANA in missing else []
    verb, pronoun = ("are", "them") if len(missing) > 1 else ("is", "it")
    looked = ", ".join(path for paths in missing.values() for path in paths)
    named = ", ".join(f"{program}: /path" for program in missing)
    return _no(
        host,
        f"{' and '.join(missing)} {verb} not installed on this host (looked for {looked})",
        f"Install {pronoun} ({', '.join(ways)}), or name {pronoun}: `binaries: {{{named}}}`.",
    )


def _no(host: Host, reason: str, hint: str) -> NotWatched:
    return NotWatched(Refusal(host=host.name, instance=MONITORING, reason=reason, hint=hint))
