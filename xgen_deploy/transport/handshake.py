"""Make one SSH connection: socket, checked host key, login."""

import socket
from dataclasses import dataclass
from typing import Any

import fabric
import paramiko
from paramiko.config import SSHConfig

from xgen_deploy.transport.auth import KeyFiles, KeyLogin
from xgen_deploy.transport.host_keys import HostKeys
from xgen_deploy.transport.known_hosts import Key
from xgen_deploy.transport.ssh_connect_errors import Handshake, explain
from xgen_deploy.transport.target import Target

_TIMEOUT = 20
_KEEPALIVE = 10
_DEAD_AFTER_MS = 30_000
_SIGNATURES = {"ssh-rsa": ("rsa-sha2-512", "rsa-sha2-256")}


@dataclass(frozen=True)
class Shared:
    """What all handshakes of one run use."""

    host_keys: HostKeys
    key_files: KeyFiles


def shake(
    host: str, target: Target, gateway: fabric.Connection | None, shared: Shared
) -> fabric.Connection:
    """A connection that is logged in. Raises UnreachableError that names `host`, and Handshake
    where the other end broke off before SSH began: that may pass."""
    try:
        sock = _socket(target, gateway)
    except (OSError, EOFError, paramiko.SSHException) as error:
        raise explain(host, target, error) from None
    connection = _prepare(host, target, sock, shared)
    try:
        connection.open()
    except (OSError, EOFError, paramiko.SSHException) as error:
        _drop(connection, sock)
        if isinstance(error, (EOFError, ConnectionResetError)) or "banner" in str(error):
            raise Handshake(str(error)) from None
        raise explain(host, target, error) from None
    except BaseException:
        _drop(connection, sock)
        raise
    connection.transport.set_keepalive(_KEEPALIVE)
    return connection


def _prepare(host: str, target: Target, sock: Any, shared: Shared) -> fabric.Connection:
    kinds = shared.host_keys.kinds(target)

    def transport(sock: Any, **how: Any) -> paramiko.Transport:
        made = paramiko.Transport(sock, **how)
        security = made.get_security_options()
        security.key_types = _ordered(tuple(security.key_types), kinds)
        return made

    connection = fabric.Connection(
        target.address,
        user=target.user,
        port=target.port,
        # Each its own: a connection writes to its configuration.
        config=fabric.Config(ssh_config=SSHConfig(), lazy=True),
        gateway=False,
        forward_agent=False,
        connect_timeout=_TIMEOUT,
        connect_kwargs={
            "sock": sock,
            "transport_factory": transport,
            "auth_strategy": KeyLogin(host, target, shared.key_files),
            "banner_timeout": _TIMEOUT,
            "auth_timeout": _TIMEOUT,
        },
    )
    # With no keys of its own, the client asks this policy about every key; Fabric's trusts all.
    connection.client.set_missing_host_key_policy(_Policy(host, target, shared.host_keys))
    return connection


class _Policy(paramiko.MissingHostKeyPolicy):
    def __init__(self, host: str, target: Target, host_keys: HostKeys) -> None:
        self._host, self._target, self._host_keys = host, target, host_keys

    def missing_host_key(
        self,
        client: paramiko.SSHClient,  # noqa: ARG002
        hostname: str,  # noqa: ARG002
        key: paramiko.PKey,
    ) -> None:
        self._host_keys.check(self._host, self._target, Key(key.get_name(), key.asbytes()))


def _socket(target: Target, gateway: fabric.Connection | None) -> Any:
    if gateway is not None:
        place = (target.address, target.port)
        return gateway.transport.open_channel(
            "direct-tcpip", place, ("127.0.0.1", 0), timeout=target.connect_timeout
        )
    if target.proxy_command is not None:
        return paramiko.ProxyCommand(target.proxy_command)
    sock = socket.create_connection((target.address, target.port), target.connect_timeout)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _DEAD_AFTER_MS)
    return sock


def _drop(connection: fabric.Connection, sock: Any) -> None:
    connection.client.close()
    sock.close()


def _ordered(offered: tuple[str, ...], kinds: tuple[str, ...]) -> tuple[str, ...]:
    """The algorithms of the known key types before the others."""
    wanted = [name for kind in kinds for name in _SIGNATURES.get(kind, (kind,)) if name in offered]
    return (*wanted, *(name for name in offered if name not in wanted))
