"""A running gateway's runtime socket, reached through its host's session."""

import time
from collections.abc import Callable, Container, Mapping
from typing import TypeVar

from xgen_deploy.errors import XgenError
from xgen_deploy.gateway.stats import (
    HaproxyInfo,
    ServerState,
    parse_host_names,
    parse_info,
    parse_queues,
    parse_servers,
)
from xgen_deploy.transport.base import HostError, Session

_Value = TypeVar("_Value")
_ASK = 20.0
_PAUSE = 0.1

# Run by the guard of a drained server; one line, as systemd wants it. argv: socket, command.
_READY = (
    "import socket, sys; s = socket.socket(socket.AF_UNIX); s.settimeout(10); "
    "s.connect(sys.argv[1]); s.sendall(sys.argv[2].encode() + bytes([10])); s.recv(65536)"
)


class HaproxySocket:
    """`socket` is its path on the host, `python` the interpreter there that a guard runs later.

    Every call raises XgenError where the gateway does not answer or refuses.
    """

    def __init__(self, host: str, session: Session, socket: str, python: str = "python3") -> None:
        self._host = host
        self._session = session
        self._socket = socket
        self._python = python

    def ask(self, command: str) -> str:
        """The socket's answer to one command."""
        try:
            sent = f"{command}\n".encode()
            answer = self._session.ask_socket(self._socket, sent, timeout=_ASK)
        except HostError as error:
            raise HostError(self._host, f"the gateway's socket: {error.reason}") from None
        return answer.decode(errors="replace")

    def info(self) -> HaproxyInfo:
        return self._understood(parse_info, "show info")

    def servers(self) -> tuple[ServerState, ...]:
        return self._understood(parse_servers, "show stat")

    def host_names(self) -> dict[tuple[str, str], str]:
        """See `parse_host_names`."""
        return self._understood(parse_host_names, "show servers state")

    def has_environment(self, variables: Mapping[str, str]) -> bool:
        """Whether the process runs with these values, which are secrets."""
        lines = set(self.ask("show env").splitlines())
        return all(f"{name}={value}" in lines for name, value in variables.items())

    def remove(self, entry: str, timeout: float) -> bool:
        """Takes POOL/SERVER away once its requests have ended, at most after `timeout` seconds:
        whether they have. It gets no new ones in any case.
        """
        self.ask(f"set server {entry} state maint")
        end = time.monotonic() + timeout
        while any(f"{s.pool}/{s.name}" == entry and s.sessions for s in self.servers()):
            if time.monotonic() > end:
                return False
            time.sleep(_PAUSE)
        self.ask(f"del server {entry}")
        return True

    def settled(self, timeout: float) -> tuple[ServerState, ...]:
        """The servers once each had its first health check, after `timeout` seconds at most."""
        end = time.monotonic() + timeout
        while True:
            servers = self.servers()
            if not any(s.undecided for s in servers) or time.monotonic() > end:
                return servers
            time.sleep(_PAUSE)

    def wait_pools_up(self, pools: Container[str], timeout: float) -> None:
        """Until each of these pools has a server up, for `timeout` seconds at most."""
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            servers = [s for s in self.servers() if s.pool in pools]
            if {s.pool for s in servers} == {s.pool for s in servers if s.up}:
                return
            time.sleep(_PAUSE)

    def drain(self, server: str) -> None:
        """No new requests to this server; those under way go on."""
        self._set(server, "drain")

    def enable(self, server: str) -> None:
        """New requests again, as soon as its health check passes."""
        self._set(server, "ready")

    def enable_argv(self, server: str) -> tuple[str, ...]:
        """The command line that does on the gateway's host what `enable` does here."""
        ready = self._command(server, "ready")
        return (self._python, "-I", "-c", _READY, self._socket, ready)

    def wait_unqueued(self, pool: str, timeout: float) -> bool:
        """Whether nothing waits for a pool any more, within `timeout` seconds."""
        end = time.monotonic() + timeout
        while self._understood(parse_queues, "show stat").get(pool):
            if time.monotonic() > end:
                return False
            time.sleep(_PAUSE)
        return True

    def wait_idle(self, server: str, timeout: float) -> bool:
        """Whether every request on a server has ended within `timeout` seconds."""
        return self._until(timeout, lambda s: not s.sessions and not s.queued, server)

    def wait_up(self, server: str, timeout: float) -> bool:
        """Whether the gateway itself found the server healthy within `timeout` seconds."""
        return self._until(timeout, lambda s: s.up, server)

    def _understood(self, read: Callable[[str], _Value], command: str) -> _Value:
        try:
            return read(self.ask(command))
        except ValueError as error:
            raise HostError(self._host, str(error)) from None

    def _set(self, server: str, state: str) -> None:
        refusal = self.ask(self._command(server, state)).strip()
        if refusal:
            reason = f"the gateway refused to set server {server} to {state}: {refusal}"
            raise HostError(self._host, reason)

    def _command(self, server: str, state: str) -> str:
        """For each pool that has the server; HAProxy carries the others out where one fails."""
        entries = self._named(server)
        return "; ".join(f"set server {e.pool}/{e.name} state {state}" for e in entries)

    def _until(self, timeout: float, holds: Callable[[ServerState], bool], server: str) -> bool:
        end = time.monotonic() + timeout
        while not all(map(holds, self._named(server))):
            if time.monotonic() > end:
                return False
            time.sleep(_PAUSE)
        return True

    def _named(self, server: str) -> tuple[ServerState, ...]:
        entries = tuple(s for s in self.servers() if s.name == server)
        if not entries:
            raise XgenError(f"{self._host}: the gateway has no server {server}")
        return entries
