"""What the exporter on a host is told: whose metrics it passes on, and what of the host it watches.
Pure.

One file for both of its programs (watch/remote/settings.py reads it). It has no secret: of the
token that a scrape must show it has the SHA-256, of engines' keys the files that they lie in.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from xgen_deploy.backends.base import Backend
from xgen_deploy.backends.local_endpoint import local_endpoint
from xgen_deploy.backends.registry import backend_named
from xgen_deploy.state.endpoint import LOOPBACK, local_address
from xgen_deploy.state.gateway import GatewaySpec
from xgen_deploy.state.host import Host
from xgen_deploy.state.layout import Layout
from xgen_deploy.state.record import InstanceRecord, Record
from xgen_deploy.watch.exporter_paths import facts_file

FORMAT = 1
# How long one operation of an apply may mute alerts: a start's usual deadline, and room for it.
_CHANGE = 15 * 60.0
_START_FACTOR = 1.5
# Docker's networks are among these.
_PRIVATE = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")


@dataclass(frozen=True, kw_only=True)
class Watched:
    """What the exporter of a host is to tell. `token_sha256` is of the token that a scrape must
    show, in hex. `certificates`: what a certificate is for -> its file on the host. `textfile` is
    the folder for a node exporter's file, where one was asked for.
    """

    host: Host
    token_sha256: str
    certificates: Mapping[str, str] = field(default_factory=dict)
    textfile: str | None = None


@dataclass(frozen=True)
class EngineKey:
    """A credential of the exporter's unit: its name there, and the file that the key lies in."""

    name: str
    file: str


def exporter_settings(record: Record, layout: Layout, watched: Watched) -> str:
    """The content of the settings file, the same for the same arguments."""
    host = watched.host
    folders = (host.model_dir, host.hf_home)
    document = {
        "format": FORMAT,
        "project": record.project,
        "host": host.name,
        "token_sha256": watched.token_sha256,
        "record": layout.record,
        "lock": layout.lock,
        "watchdog_state": layout.watchdog_state,
        "facts": facts_file(layout),
        "textfile": watched.textfile,
        "change_seconds": _change_seconds(record),
        "software_gpu": host.software_gpu,
        "reserved_mb": _by_text(host.reserved_mb),
        "folders": [*folders, *_other_folders(record, folders)],
        "certificates": dict(watched.certificates),
        "gateway": gateway_settings(record.gateway.spec) if record.gateway else None,
        "engines": [_engine(name, last, layout) for name, last in record.instances.items()],
    }
    return json.dumps(document, indent=1, sort_keys=True) + "\n"


def engine_keys(record: Record, layout: Layout) -> tuple[EngineKey, ...]:
    """What the exporter's unit hands to it, so that engines' keys stay on their host."""
    endpoints = {n: local_endpoint(n, last, layout) for n, last in record.instances.items()}
    files = {name: endpoint.key_file for name, endpoint in endpoints.items()}
    return tuple(EngineKey(_credential(name), file) for name, file in files.items() if file)


def engine_addresses(record: Record) -> tuple[str, ...]:
    """Where the engines of the host are reached, besides loopback. What goes to a container's
    published address is sent on to one of Docker's own networks before it is filtered.
    """
    specs = [last.spec for last in record.instances.values()]
    reached = {(s.runtime, local_address(s.listen)) for s in specs}
    beyond = {(runtime, address) for runtime, address in reached if address not in LOOPBACK}
    docker = _PRIVATE if any(runtime == "docker" for runtime, _ in beyond) else ()
    return (*sorted({address for _, address in beyond}), *docker)


def _engine(name: str, last: InstanceRecord, layout: Layout) -> dict[str, object]:
    """`page`: what the names of its metrics begin with; None where it has none."""
    backend = backend_named(last.spec.backend)
    endpoint = local_endpoint(name, last, layout)
    slo = last.declared.slo if last.declared else None
    return {
        "instance": name,
        "model": last.spec.model,
        "address": endpoint.address,
        "port": endpoint.port,
        "page": _page(backend) if backend else None,
        "health_path": last.health_path,
        "credential": _credential(name) if endpoint.key_file else None,
        "key_file": endpoint.key_file,
        "key_pattern": endpoint.key_pattern,
        "unit": f"{layout.service(name + last.slot)}.service",
        "objectives": slo.model_dump(exclude_none=True) if slo else {},
    }


def _page(backend: Backend) -> str | None:
    return backend.counters[0].partition(":")[0] if backend.counters else None


def _credential(instance: str) -> str:
    return f"key-{instance}"


def gateway_settings(spec: GatewaySpec) -> dict[str, object]:
    """It tells its metrics on loopback alone, where it always listens."""
    pools = {pool: r.model for r in spec.routes for pool in (r.pool, r.old_pool)}
    return {
        "address": "127.0.0.1",
        "port": spec.port,
        "tls": spec.tls is not None,
        "clients": bool(spec.clients),
        "pools": pools,
        "servers": {s.name: s.instance for s in spec.servers},
    }


def _other_folders(record: Record, known: Sequence[str]) -> list[str]:
    """Where models lie that are outside the host's folders."""
    folders = {last.spec.model_path.rpartition("/")[0] or "/" for last in record.instances.values()}
    return sorted(f for f in folders if not any(f"{f}/".startswith(f"{k}/") for k in known))


def _by_text(reserved: int | dict[int | str, int] | None) -> int | dict[str, int] | None:
    if not isinstance(reserved, dict):
        return reserved
    return {str(gpu): size for gpu, size in reserved.items()}


def _change_seconds(record: Record) -> float:
    """The longest that a start may take by the manifest, with room."""
    declared = [last.declared for last in record.instances.values() if last.declared]
    stated = [d.update.timeout for d in declared if d.update.timeout is not None]
    return max([_CHANGE, *(_START_FACTOR * seconds for seconds in stated)])
