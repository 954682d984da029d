"""The ssh-agent: the keys that it holds, and signatures by them."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import paramiko
from paramiko.agent import AgentKey, AgentSSH
from paramiko.pkey import PublicBlob

from xgen_deploy.transport.certificates import certified_key

_ANSWERS_WITHIN = 10.0
_SIGNS_WITHIN = 30.0  # it may ask for a confirmation, or for a touch of a security key


class NotSigned(Exception):
    """The agent holds a key and did not sign with it."""


class HeldKey(AgentKey):
    """A key or a certificate, exactly as the agent lists it."""

    public_blob: PublicBlob | None  # type: ignore[assignment]

    def __init__(self, agent: "Agent", blob: bytes, comment: str) -> None:
        super().__init__(agent, blob, comment)
        # Else Paramiko shows the server the plain key of a certificate, and signs with that.
        self.inner_key = None
        self.public = certified_key(self.get_name(), blob)
        self._holder = agent

    def with_certificate(self, certificate: PublicBlob) -> "HeldKey":
        key = HeldKey(self._holder, self.blob, self.comment)
        key.public_blob = certificate
        return key

    def sign_ssh_data(self, data: bytes, algorithm: str | None = None) -> paramiko.Message:  # type: ignore[override]
        """Raises NotSigned."""
        try:
            with self._holder.time_to_confirm():
                return super().sign_ssh_data(data, algorithm)
        except (paramiko.SSHException, OSError) as error:
            raise NotSigned(str(error)) from None


class Agent(AgentSSH):
    """The ssh-agent at a socket; one that does not answer has no keys."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = path
        self._open()

    def held(self) -> tuple[HeldKey, ...]:
        return tuple(HeldKey(self, key.blob, key.comment) for key in self.get_keys())

    @contextmanager
    def time_to_confirm(self) -> Iterator[None]:
        """After a failure the agent is asked anew: its answer may still come."""
        self._socket.settimeout(_SIGNS_WITHIN)
        try:
            yield
        except BaseException:
            self.close()
            self._open()
            raise

    def close(self) -> None:
        self._close()  # type: ignore[attr-defined]
        self._socket.close()

    def _open(self) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        try:
            self._socket.settimeout(_ANSWERS_WITHIN)
            self._socket.connect(self._path)
            self._connect(self._socket)  # type: ignore[attr-defined]
        except (OSError, paramiko.SSHException):
            self.close()
