"""From an inventory's host to a connection. Nothing is opened before it is used."""

from typing import TYPE_CHECKING

from xgen_deploy.errors import UsageError
from xgen_deploy.state.host import Host
from xgen_deploy.transport.base import Connection
from xgen_deploy.transport.command import Become
from xgen_deploy.transport.local import LocalConnection
from xgen_deploy.transport.options import Options
from xgen_deploy.transport.target import Wish

if TYPE_CHECKING:
    from xgen_deploy.transport.ssh_connect import Dialer


class Connector:
    """Makes the connections of one run, which share what was read and the jump hosts."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._dialer: Dialer | None = None
        self._made: list[Connection] = []

    def connect(self, host: Host) -> Connection:
        """Raises UsageError for an SSH configuration that cannot be used."""
        password = self._options.become_password
        become = _become(host, self._options)
        made: Connection
        if host.connection == "local":
            made = LocalConnection(host.name, python=host.python, become=become, password=password)
        else:
            made = self._ssh(host, become, password)
        self._made.append(made)
        return made

    def close(self) -> None:
        """Close every connection that was made, and the jump hosts."""
        for connection in self._made:
            connection.close()
        if self._dialer is not None:
            self._dialer.close()

    def _ssh(self, host: Host, become: Become, password: str | None) -> Connection:
        # Fabric takes 0.3 s to import: only those pay who have a remote host.
        from xgen_deploy.transport.ssh import SSHConnection
        from xgen_deploy.transport.ssh_connect import Dialer

        if self._dialer is None:
            self._dialer = Dialer(self._options)
        wish = Wish(
            host.address or host.name,
            host.user,
            host.port,
            host.private_key_file,
            host.proxy_jump,
        )
        return SSHConnection(
            host.name, wish, self._dialer, python=host.python, become=become, password=password
        )


def connect(host: Host, options: Options) -> Connection:
    """A connection for one host alone; for several, a Connector shares the work."""
    return Connector(options).connect(host)


def _become(host: Host, options: Options) -> Become:
    if (host.runtime or options.runtime) == "process":
        if host.connection != "local":
            raise UsageError(f"{host.name}: the process runtime works on a local connection only")
        return "never"
    if host.become is False:
        return "never"
    return "auto" if options.become_password is None else "ask"
