"""A host reached over SSH: one connection for the whole run, a channel for each command."""

import select
import threading
import time

import fabric
import paramiko

from xgen_deploy.errors import UnreachableError
from xgen_deploy.transport.command import Become, line
from xgen_deploy.transport.framing import STUB
from xgen_deploy.transport.process import Deadline, Output
from xgen_deploy.transport.python_host import PythonHost
from xgen_deploy.transport.ssh_connect import SSHConnector
from xgen_deploy.transport.target import Destination

_CHUNK = 1 << 16
_SEND_TIMEOUT = 30.0


class SSHProcess:
    """A Process on the far side of a channel."""

    def __init__(self, channel: paramiko.Channel) -> None:
        self._channel = channel
        self._channel.settimeout(_SEND_TIMEOUT)
        self._poll = select.poll()
        self._poll.register(channel.fileno(), select.POLLIN)

    def send(self, data: bytes) -> None:
        try:
            self._channel.sendall(data)
        except TimeoutError:
            raise ConnectionError("it no longer accepts input") from None
        except (OSError, EOFError):
            self._check()

    def send_within(self, seconds: float) -> None:
        self._channel.settimeout(seconds)

    def end_input(self) -> None:
        try:
            self._channel.shutdown_write()
        except (OSError, EOFError):
            self._check()

    def read(self, timeout: float) -> Output:
        if not self._poll.poll(timeout * 1000):
            raise TimeoutError
        out = self._channel.recv(_CHUNK) if self._channel.recv_ready() else b""
        err = self._channel.recv_stderr(_CHUNK) if self._channel.recv_stderr_ready() else b""
        if out or err:
            return Output(out, err)
        self._check()
        return Output(ended=True)

    def returncode(self) -> int:
        if not self._channel.status_event.wait(5.0):
            return -1
        return self._channel.exit_status

    def close(self) -> None:
        self._channel.close()

    def _check(self) -> None:
        """Raises ConnectionError where the connection ended rather than the command."""
        transport = self._channel.get_transport()
        # It stays there for the other channels; all are closed before the transport is inactive.
        error = transport.saved_exception
        lost = error is not None or not transport.is_active()
        if lost and self._channel.exit_status < 0:
            raise ConnectionError(getattr(error, "strerror", None) or str(error or "") or "closed")


class SSHConnection(PythonHost):
    """Connects at the first use, and again after the connection was lost."""

    def __init__(
        self,
        name: str,
        destination: Destination,
        connector: SSHConnector,
        *,
        python: str | None,
        become: Become,
        password: str | None,
    ) -> None:
        self._target = connector.target(destination)
        super().__init__(name, self._target.user, become, password)
        self._ssh_connector = connector
        self._line = line(STUB, python=python, become=become)
        self._connection: fabric.Connection | None = None
        self._lock = threading.Lock()

    def close(self) -> None:
        connection = self._connection
        if connection is not None:
            connection.close()

    def connect(self) -> None:
        self._transport()

    def _open(self, deadline: Deadline) -> SSHProcess:
        transport = self._transport()
        try:
            channel = self._channel(transport, deadline)
            channel.exec_command(self._line)
        except TimeoutError:
            reason, hint = "it opened no session in time", "Check whether the host is overloaded."
            raise UnreachableError(self._name, reason, hint) from None
        except (paramiko.SSHException, OSError, EOFError) as error:
            raise UnreachableError(
                self._name,
                f"it refused to run a command ({error})",
                "Check `MaxSessions` and `ForceCommand` in its sshd_config.",
            ) from None
        return SSHProcess(channel)

    def _transport(self) -> paramiko.Transport:
        with self._lock:
            if self._connection is None or not self._connection.is_connected:
                self._connection = self._ssh_connector.open(self._name, self._target)
            transport: paramiko.Transport = self._connection.transport
            return transport

    def _channel(self, transport: paramiko.Transport, deadline: Deadline) -> paramiko.Channel:
        try:
            return transport.open_session(timeout=deadline.left())
        except paramiko.ChannelException:
            time.sleep(0.5)  # MaxSessions: another channel of this connection may just be closing.
            return transport.open_session(timeout=deadline.left())
