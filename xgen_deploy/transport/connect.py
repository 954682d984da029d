"""From an inventory's host to a connection. Nothing is opened before it is used."""

from typing import TYPE_CHECKING

from xgen_deploy.errors import UsageError
from xgen_deploy.state.host import Host
from xgen_deploy.transport.base import Connection
from xgen_deploy.transport.command import Become
from xgen_deploy.transport.local import LocalConnection
from xgen_deploy.transport.options import Options
from xgen_deploy.transport.target import Destination

if TYPE_CHECKING:
    from xgen_deploy.transport.ssh_connect import SSHConnector


class Connector:
    """Makes the connections of one run; they share SSH's files, keys and the jump hosts."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._ssh_connector: SSHConnector | None = None
        self._connections: list[Connection] = []

    def connect(self, host: Host) -> Connection:
        """Raises UsageError for an SSH configuration that cannot be used."""
        password = self._options.become_password
        become = _become(host, self._options)
        connection: Connection
        if host.connection == "local":
            connection = LocalConnection(
                host.name, python=host.python, become=become, password=password
            )
        else:
            connection = self._ssh(host, become, password)
        self._connections.append(connection)
        return connection

    def close(self) -> None:
        """Close every connection that was made, and the jump hosts."""
        for connection in self._connections:
            connection.close()
        if self._ssh_connector is not None:
            self._ssh_connector.close()

    def _ssh(self, host: Host, become: Become, password: str | None) -> Connection:
        # Importing Fabric takes 0.3 s, which a purely local run is spared.
        from xgen_deploy.transport.ssh import SSHConnection
        from xgen_deploy.transport.ssh_connect import SSHConnector

        if self._ssh_connector is None:
            self._ssh_connector = SSHConnector(self._options)
        destination = Destination(
            host.address or host.name,
            host.user,
            host.port,
            host.private_key_file,
            host.proxy_jump,
            host.ssh_settings,
        )
        return SSHConnection(
            host.name,
            destination,
            self._ssh_connector,
            python=host.python,
            become=become,
            password=password,
        )


def connect(host: Host, options: Options) -> Connection:
    """A connection to a single host; several share a Connector."""
    return Connector(options).connect(host)


def _become(host: Host, options: Options) -> Become:
    if (host.runtime or options.runtime) == "process":
        if host.connection != "local":
            raise UsageError(f"{host.name}: the process runtime works on a local connection only")
        return "never"
    if host.become is False:
        return "never"
    return "auto" if options.become_password is None else "ask"
