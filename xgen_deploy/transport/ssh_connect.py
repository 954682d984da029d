"""Open SSH connections, hop by hop: a socket, a checked host key, a login by key. All that the
connections of one run share is here.
"""

import getpass
import logging
import os
import random
import socket
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import fabric
import paramiko
from paramiko.config import SSHConfig

from xgen_deploy.errors import UnreachableError, UsageError
from xgen_deploy.transport import ssh_config
from xgen_deploy.transport.auth import KeyLogin
from xgen_deploy.transport.auth_transport import AuthTransport
from xgen_deploy.transport.host_keys import HostKeys
from xgen_deploy.transport.identities import KeyFiles
from xgen_deploy.transport.known_hosts import Key
from xgen_deploy.transport.options import Options
from xgen_deploy.transport.ssh_connect_errors import HandshakeFailed, explain
from xgen_deploy.transport.ssh_files import read_config
from xgen_deploy.transport.target import ControlUser, Destination, Target, parse_hop, resolve

_MOST_HOPS = 8
_FAILURE_KEPT = 30.0
_HANDSHAKE_TIMEOUT = 20
_KEEPALIVE = 10
_DEAD_AFTER_MS = 30_000
# Half the processor time of the others, which matters once gigabytes go over a connection.
_FAST_CIPHERS = ("aes128-gcm@openssh.com", "aes256-gcm@openssh.com")
_SIGNATURES = {"ssh-rsa": ("rsa-sha2-512", "rsa-sha2-256")}


@dataclass
class _Hop:
    """A jump host. Its failure is remembered for a while: fifty hosts may wait behind it."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    connection: fabric.Connection | None = None
    failure: tuple[str, str] = ("", "")
    failed_at: float = -_FAILURE_KEPT


class SSHConnector:
    """Opens connections for any number of hosts, from any number of threads. Jump hosts are
    reached once and shared. Raises UsageError for an ssh_config that cannot be read."""

    def __init__(self, options: Options) -> None:
        logging.getLogger("paramiko").addHandler(logging.NullHandler())
        home = str(Path.home())
        self._user = ControlUser(getpass.getuser(), home, os.environ.get("SSH_AUTH_SOCK"))
        self._timeout = options.connect_timeout
        self._blocks = read_config(options.ssh_config, home)
        self._shared = _Shared(HostKeys(accept_new=options.accept_new_host_keys), KeyFiles())
        self._hops: dict[tuple[Target, ...], _Hop] = {}
        self._lock = threading.Lock()

    def target(self, destination: Destination) -> Target:
        """Raises UsageError for a setting that cannot be used."""
        settings = ssh_config.lookup(
            self._blocks, destination.alias, self._user.user, destination.settings
        )
        return resolve(destination, settings, self._user, self._timeout)

    def open(self, host: str, target: Target) -> fabric.Connection:
        """A connection to `target`, logged in. Raises UnreachableError that names `host`."""
        *hops, last = self._route(target)
        jump = self._jump_host(host, tuple(hops)) if hops else None
        return self._connect(host, last, jump)

    def close(self) -> None:
        with self._lock:
            hops, self._hops = list(self._hops.values()), {}
        for hop in hops:
            if hop.connection is not None:
                hop.connection.close()

    def _route(self, target: Target, depth: int = 0) -> tuple[Target, ...]:
        """The hops to a target, then the target. The first hop's own ssh_config may add more."""
        if depth > _MOST_HOPS:
            raise UsageError(f"ProxyJump is circular at {target.alias}")
        if not target.jumps:
            return (target,)
        first, *others = (self.target(parse_hop(hop)) for hop in target.jumps)
        return (*self._route(first, depth + 1), *others, target)

    def _jump_host(self, host: str, hops: tuple[Target, ...]) -> fabric.Connection:
        with self._lock:
            hop = self._hops.setdefault(hops, _Hop())
        with hop.lock:
            if hop.connection is not None and hop.connection.is_connected:
                return hop.connection
            if time.monotonic() - hop.failed_at < _FAILURE_KEPT:
                raise UnreachableError(host, *hop.failure)
            before = self._jump_host(host, hops[:-1]) if hops[:-1] else None
            try:
                hop.connection = self._connect(host, hops[-1], before)
            except UnreachableError as error:
                reason = f"the jump host {hops[-1].alias} failed: {error.reason}"
                hop.failure, hop.failed_at = (reason, error.hint), time.monotonic()
                raise UnreachableError(host, *hop.failure) from None
            return hop.connection

    def _connect(
        self, host: str, target: Target, jump: fabric.Connection | None
    ) -> fabric.Connection:
        try:
            return _handshake(host, target, jump, self._shared)
        except HandshakeFailed:
            # sshd drops connections when too many are in their handshake (MaxStartups).
            time.sleep(random.uniform(0.5, 1.5))  # noqa: S311
        try:
            return _handshake(host, target, jump, self._shared)
        except HandshakeFailed as error:
            raise explain(host, target, error) from None


@dataclass(frozen=True)
class _Shared:
    """What every handshake of a run uses."""

    host_keys: HostKeys
    key_files: KeyFiles


def _handshake(
    host: str, target: Target, jump: fabric.Connection | None, shared: _Shared
) -> fabric.Connection:
    """A connection that is logged in. Raises UnreachableError naming `host`, and HandshakeFailed
    where the other end hung up before SSH began: another try may succeed."""
    try:
        sock = _socket(target, jump)
    except (OSError, EOFError, paramiko.SSHException) as error:
        raise explain(host, target, error) from None
    connection = _prepare(host, target, sock, shared)
    try:
        connection.open()
    except (OSError, EOFError, paramiko.SSHException) as error:
        _drop(connection, sock)
        if isinstance(error, (EOFError, ConnectionResetError)) or "banner" in str(error):
            raise HandshakeFailed(str(error)) from None
        raise explain(host, target, error) from None
    except BaseException:
        _drop(connection, sock)
        raise
    connection.transport.set_keepalive(_KEEPALIVE)
    return connection


def _prepare(host: str, target: Target, sock: Any, shared: _Shared) -> fabric.Connection:
    kinds = shared.host_keys.kinds(target)

    def make_transport(sock: Any, **options: Any) -> paramiko.Transport:
        transport = AuthTransport(sock, **options)
        security = transport.get_security_options()
        security.key_types = _ordered(tuple(security.key_types), kinds)
        security.ciphers = _ordered(tuple(security.ciphers), _FAST_CIPHERS)
        return transport

    connection = fabric.Connection(
        target.address,
        user=target.user,
        port=target.port,
        # One per connection, because Fabric writes to it.
        config=fabric.Config(ssh_config=SSHConfig(), lazy=True),
        gateway=False,
        forward_agent=False,
        connect_timeout=_HANDSHAKE_TIMEOUT,
        connect_kwargs={
            "sock": sock,
            "transport_factory": make_transport,
            "auth_strategy": KeyLogin(host, target, shared.key_files),
            "banner_timeout": _HANDSHAKE_TIMEOUT,
            "auth_timeout": _HANDSHAKE_TIMEOUT,
        },
    )
    # A client without keys of its own asks this policy about every key; Fabric's accepts any.
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


def _socket(target: Target, jump: fabric.Connection | None) -> Any:
    if jump is not None:
        place = (target.address, target.port)
        return jump.transport.open_channel(
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
    """The algorithms of these kinds first, of a key type all that sign with it; then the others."""
    known = [name for kind in kinds for name in _SIGNATURES.get(kind, (kind,)) if name in offered]
    return (*known, *(name for name in offered if name not in known))
