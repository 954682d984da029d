"""Has a running gateway take servers that came, went or changed, without a reload."""

from collections.abc import Mapping

from xgen_deploy.gateway.server_changes import (
    NeedsReload,
    ServerChanges,
    server_changes,
    takes_servers,
)
from xgen_deploy.gateway.stats import HaproxyInfo
from xgen_deploy.state.gateway import GatewaySpec
from xgen_deploy.transport.base import HostError
from xgen_deploy.verify.haproxy_socket import HaproxySocket
from xgen_deploy.visible import on_one_line

_FIRST_CHECKS = 10.0
_IDLE = 5.0


class ServersAlone:
    """A change of `spec` that may be one of servers alone. `variables` are the secrets that HAProxy
    is to have in its environment; `moving` as in `server_changes`.
    """

    def __init__(
        self,
        runtime: HaproxySocket,
        spec: GatewaySpec,
        variables: Mapping[str, str],
        *,
        moving: bool,
    ) -> None:
        self._runtime = runtime
        self._spec = spec
        self._variables = variables
        self._moving = moving

    def follow(self, digest: str) -> bool:
        """Whether the process now has the servers of the configuration that was written, which has
        this digest; not where more than servers changed, or where HAProxy is too old.

        Raises NeedsReload with a reason where it should have but could not.
        """
        try:
            process = self._runtime.info()
            same = process.digest == digest and self._runtime.has_environment(self._variables)
            if not same or not takes_servers(process.version):
                return False
            self._change(process)
        except HostError as error:
            raise NeedsReload(error.reason) from None
        return True

    def _change(self, process: HaproxyInfo) -> None:
        changes = self._due()
        said = self._runtime.ask("; ".join(changes.commands)) if changes.commands else ""
        if changes.leave:
            self._remove(changes.leave)
        if self._due() != ServerChanges() or self._runtime.info().pid != process.pid:
            raise NeedsReload(f"HAProxy did not take the change ({on_one_line(said.strip())})")

    def _due(self) -> ServerChanges:
        servers, names = self._runtime.servers(), self._runtime.host_names()
        return server_changes(self._spec, servers, names, moving=self._moving)

    def _remove(self, leave: tuple[str, ...]) -> None:
        """Not before others can take what waits for them."""
        servers = self._runtime.settled(_FIRST_CHECKS)
        leaving = [s for s in servers if f"{s.pool}/{s.name}" in leave]
        others = {s.pool for s in servers if s.up and s not in leaving}
        for server in leaving:
            if server.up and server.pool not in others:
                raise NeedsReload(f"no other server of {on_one_line(server.pool)} is up")
        for entry in leave:
            if not self._runtime.remove(entry, _IDLE):
                raise NeedsReload(f"requests on {on_one_line(entry)} go on")
