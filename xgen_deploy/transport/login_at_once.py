"""Log in one round trip sooner than paramiko does."""

import threading

import paramiko
from paramiko.auth_handler import AuthHandler
from paramiko.message import Message

_SERVICE = "ssh-userauth"


class LoginTransport(paramiko.Transport):
    """Sends the key's signature right behind the request for the login service: the server reads
    them one after the other, and one that refuses the service ends the connection anyway."""

    def auth_publickey(
        self, username: str, key: paramiko.PKey, event: threading.Event | None = None
    ) -> list[str]:
        if not self.is_active() or not self.initial_kex_done:
            raise paramiko.SSHException("No existing session")
        answered = event or threading.Event()
        self.auth_handler = login = _Login(self)
        login.auth_publickey(username, key, answered)
        return login.wait_for_response(answered)


class _Login(AuthHandler):
    """The login with one key."""

    def __init__(self, transport: paramiko.Transport) -> None:
        super().__init__(transport)
        self._signed = False

    def _request_auth(self) -> None:
        super()._request_auth()  # type: ignore[misc]
        # Which hash an RSA key signs with is for the server to say; that may still be on its way.
        rsa = self.private_key is not None and "rsa" in self.private_key.get_name()
        if not rsa or self.transport.server_extensions:  # type: ignore[attr-defined]
            accepted = Message()
            accepted.add_string(_SERVICE)
            accepted.rewind()
            self._parse_service_accept(accepted)

    def _parse_service_accept(self, message: Message) -> None:
        if not self._signed:
            self._signed = True
            super()._parse_service_accept(message)  # type: ignore[misc]
