"""Open SSH connections, hop by hop. All that the connections of one run share is here."""

import getpass
import logging
import os
import random
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import fabric

from xgen_deploy.errors import UnreachableError, UsageError
from xgen_deploy.transport import ssh_config
from xgen_deploy.transport.auth import KeyFiles
from xgen_deploy.transport.handshake import Shared, shake
from xgen_deploy.transport.host_keys import HostKeys
from xgen_deploy.transport.options import Options
from xgen_deploy.transport.ssh_connect_errors import Handshake, explain
from xgen_deploy.transport.ssh_files import read_config
from xgen_deploy.transport.target import Here, Target, Wish, parse_hop, resolve

_HOPS = 8
_STAYS_FAILED = 30.0


@dataclass
class _Hop:
    """A jump host. Its failure is remembered for a while: fifty hosts may wait behind it."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    connection: fabric.Connection | None = None
    failure: tuple[str, str] = ("", "")
    failed_at: float = -_STAYS_FAILED


class Dialer:
    """Opens connections for any number of hosts, from any number of threads. Jump hosts are
    reached once and shared. Raises UsageError for an ssh_config that cannot be read."""

    def __init__(self, options: Options) -> None:
        logging.getLogger("paramiko").addHandler(logging.NullHandler())
        home = str(Path.home())
        self._here = Here(getpass.getuser(), home, os.environ.get("SSH_AUTH_SOCK"))
        self._timeout = options.connect_timeout
        self._blocks = read_config(options.ssh_config, home)
        self._shared = Shared(HostKeys(accept_new=options.accept_new_host_keys), KeyFiles())
        self._hops: dict[tuple[Target, ...], _Hop] = {}
        self._lock = threading.Lock()

    def target(self, wish: Wish) -> Target:
        """Raises UsageError for a setting that cannot be used."""
        settings = ssh_config.lookup(self._blocks, wish.alias, self._here.user)
        return resolve(wish, settings, self._here, self._timeout)

    def open(self, host: str, target: Target) -> fabric.Connection:
        """A connection to `target`, logged in. Raises UnreachableError that names `host`."""
        *hops, last = self._way(target)
        gateway = self._gateway(host, tuple(hops)) if hops else None
        return self._connect(host, last, gateway)

    def close(self) -> None:
        with self._lock:
            hops, self._hops = list(self._hops.values()), {}
        for hop in hops:
            if hop.connection is not None:
                hop.connection.close()

    def _way(self, target: Target, depth: int = 0) -> tuple[Target, ...]:
        """The hops to a target and the target. The first hop's own ssh_config may add more."""
        if depth > _HOPS:
            raise UsageError(f"ProxyJump goes in a circle at {target.alias}")
        if not target.jumps:
            return (target,)
        first, *others = (self.target(parse_hop(hop)) for hop in target.jumps)
        return (*self._way(first, depth + 1), *others, target)

    def _gateway(self, host: str, hops: tuple[Target, ...]) -> fabric.Connection:
        with self._lock:
            hop = self._hops.setdefault(hops, _Hop())
        with hop.lock:
            if hop.connection is not None and hop.connection.is_connected:
                return hop.connection
            if time.monotonic() - hop.failed_at < _STAYS_FAILED:
                raise UnreachableError(host, *hop.failure)
            before = self._gateway(host, hops[:-1]) if hops[:-1] else None
            try:
                hop.connection = self._connect(host, hops[-1], before)
            except UnreachableError as error:
                reason = f"the jump host {hops[-1].alias} failed: {error.reason}"
                hop.failure, hop.failed_at = (reason, error.hint), time.monotonic()
                raise UnreachableError(host, *hop.failure) from None
            return hop.connection

    def _connect(
        self, host: str, target: Target, gateway: fabric.Connection | None
    ) -> fabric.Connection:
        try:
            return shake(host, target, gateway, self._shared)
        except Handshake:
            # sshd drops greetings when too many come at once (MaxStartups).
            time.sleep(random.uniform(0.5, 1.5))  # noqa: S311
        try:
            return shake(host, target, gateway, self._shared)
        except Handshake as error:
            raise explain(host, target, error) from None
