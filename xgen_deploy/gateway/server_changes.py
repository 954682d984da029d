"""What makes a running gateway's servers those of its configuration, told while it runs. Pure."""

import ipaddress
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from xgen_deploy.errors import XgenError
from xgen_deploy.gateway.config import CHECKS
from xgen_deploy.gateway.stats import ServerState
from xgen_deploy.state.gateway import GatewaySpec
from xgen_deploy.state.routes import Server

_SINCE = (2, 6)
_VERSION = re.compile(r"([0-9]{1,4})\.([0-9]{1,4})")
_Key = tuple[str, str]


class NeedsReload(XgenError):
    """A running gateway cannot be told the change."""


@dataclass(frozen=True)
class ServerChanges:
    """Commands for its socket; then those that `leave`, as POOL/SERVER."""

    commands: tuple[str, ...] = ()
    leave: tuple[str, ...] = ()


def takes_servers(version: str) -> bool:
    """Whether this HAProxy adds servers with all their checks."""
    stated = _VERSION.match(version)
    return stated is not None and (int(stated[1]), int(stated[2])) >= _SINCE


def server_changes(
    spec: GatewaySpec,
    running: Sequence[ServerState],
    host_names: Mapping[_Key, str],
    *,
    moving: bool,
) -> ServerChanges:
    """`host_names` as of `parse_host_names`. Servers that are drained stay so while requests are
    `moving`. Raises NeedsReload.
    """
    asked = {(pool, server.name): server for pool, server in _asked(spec)}
    now = {(s.pool, s.name): s for s in running}
    commands: list[str] = []
    for key, server in asked.items():
        if key in now:
            commands += _altered(now[key], server, host_names.get(key), moving=moving)
        else:
            commands += _added(key, server)
    leave = tuple("/".join(key) for key in now if key not in asked)
    return ServerChanges(tuple(commands), leave)


def _asked(spec: GatewaySpec) -> Iterator[tuple[str, Server]]:
    for route in spec.routes:
        for server in route.servers:
            yield (route.old_pool if server.old_key else route.pool), server


def _added(key: _Key, server: Server) -> list[str]:
    """Down until its first check passed."""
    name = "/".join(key)
    address = _address(server.address)
    if address is None:
        raise NeedsReload(f"the address of {server.name} is a name ({server.address})")
    at = f"[{address}]" if address.version == 6 else str(address)
    added = f"add server {name} {at}:{server.port} maxconn {server.slots} check {CHECKS}"
    return [added, *_opened(name)]


def _opened(name: str) -> list[str]:
    return [
        f"enable health {name}",
        f"set server {name} state ready",
        f"set server {name} health down",
    ]


def _altered(now: ServerState, server: Server, host_name: str | None, *, moving: bool) -> list[str]:
    name = f"{now.pool}/{now.name}"
    address, before = _address(server.address), _address(now.address)
    commands = []
    if before is None:
        raise NeedsReload(f"{now.name} has no address in the gateway")
    if (host_name or address is None) and host_name != server.address:
        raise NeedsReload(f"the address of {server.name} is, or was, a name")
    at = address or before
    if (at, server.port) != (before, now.port):
        commands.append(f"set server {name} addr {at} port {server.port}")
    if now.limit != server.slots:
        commands.append(f"set maxconn server {name} {server.slots}")
    if now.closed:
        commands += _opened(name)
    elif now.draining and not moving:
        commands.append(f"set server {name} state ready")
    return commands


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None
