"""SSH's login with a key, as OpenSSH does it: a key of the agent is offered first, and signs only
once the server would take it. Paramiko's own signs at once, in a thread that ends the connection
where the agent refuses.
"""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import paramiko
from paramiko.auth_handler import AuthOnlyHandler
from paramiko.common import MSG_USERAUTH_INFO_REQUEST, cMSG_SERVICE_REQUEST, cMSG_USERAUTH_REQUEST
from paramiko.message import Message
from paramiko.ssh_exception import IncompatiblePeer
from paramiko.transport import ServiceRequestingTransport

from xgen_deploy.transport.algorithms import nothing_shared

_PUBLIC_KEY_OK = MSG_USERAUTH_INFO_REQUEST  # the same number, as RFC 4252 has it


class _Login(AuthOnlyHandler):
    """Offers keys, one at a time."""

    _taken = False

    @property
    def _client_handler_table(self) -> dict[int, Callable[[Message], None]]:
        handlers: dict[int, Callable[[Message], None]] = super()._client_handler_table  # type: ignore[misc]
        return {**handlers, _PUBLIC_KEY_OK: self._public_key_ok}

    def _public_key_ok(self, _message: Message) -> None:
        self._taken = True
        if self.auth_event is not None:
            self.auth_event.set()

    def offer(self, username: str, key: paramiko.PKey) -> list[str]:
        """Whether the server would take the key, without a signature. Raises like paramiko's
        auth_publickey, which is called next where this returns."""
        self._taken = False
        kind, blob = self._get_key_type_and_bits(key)  # type: ignore[attr-defined]
        algorithm = self._finalize_pubkey_algorithm(kind)  # type: ignore[attr-defined]

        def finish(message: Message) -> None:
            message.add_boolean(False)
            message.add_string(algorithm)
            message.add_string(blob)

        try:
            return self.send_auth_request(username, "publickey", finish)
        except paramiko.AuthenticationException:
            if self._taken and self.transport.is_active():
                return []
            raise

    def send_auth_request(
        self,
        username: str,
        method: str,
        finish_message: Callable[[Message], None] | None = None,
    ) -> list[str]:
        """Paramiko's, with the event in place before the answer can come."""
        self.auth_method, self.username = method, username
        message = Message()
        message.add_byte(cMSG_USERAUTH_REQUEST)
        for text in (username, "ssh-connection", method):
            message.add_string(text)
        if finish_message is not None:
            finish_message(message)
        self.auth_event = threading.Event()
        with self.transport.lock:
            self.transport._send_message(message)  # type: ignore[attr-defined]
        answer: list[str] = self.wait_for_response(self.auth_event)
        return answer


class AuthTransport(ServiceRequestingTransport):
    """A connection that can `offer` a key before it logs in with it, and that says which algorithm
    is not shared."""

    active: bool
    auth_handler: Any
    _service_userauth_accepted: bool
    _send_message: Callable[[Message], None]
    _offered: Mapping[str, Sequence[str]] = MappingProxyType({})

    def _parse_kex_init(self, message: Message) -> None:
        """Raises NothingShared, which says more than paramiko."""
        try:
            super()._parse_kex_init(message)  # type: ignore[misc]
        except IncompatiblePeer as error:
            raise nothing_shared(self._offered, self._own_offer()) or error from None

    def _really_parse_kex_init(self, message: Message, **options: bool) -> dict[str, Any]:
        offered: dict[str, Any] = super()._really_parse_kex_init(message, **options)  # type: ignore[misc]
        self._offered = {key: list(names) for key, names in offered.items() if type(names) is list}
        return offered

    def _own_offer(self) -> dict[str, Sequence[str]]:
        own = self.get_security_options()
        return {
            "kex_algo_list": own.kex,
            "server_key_algo_list": own.key_types,
            "client_encrypt_algo_list": own.ciphers,
            "client_mac_algo_list": own.digests,
        }

    def get_auth_handler(self) -> AuthOnlyHandler:
        return _Login(self)

    def offer(self, username: str, key: paramiko.PKey) -> list[str]:
        self.ensure_session()
        answer: list[str] = self.auth_handler.offer(username, key)
        return answer

    def ensure_session(self) -> None:
        """Paramiko's waits for ever where the other end hangs up."""
        if not self.active or not self.initial_kex_done:
            raise paramiko.SSHException("No existing session")
        if self._service_userauth_accepted:
            return
        message = Message()
        message.add_byte(cMSG_SERVICE_REQUEST)
        message.add_string("ssh-userauth")
        self._send_message(message)
        ends = time.monotonic() + self.auth_timeout
        while not self._service_userauth_accepted:
            if not self.is_active():
                raise self.get_exception() or EOFError
            if time.monotonic() > ends:
                raise paramiko.SSHException("No existing session")
            time.sleep(0.01)
        self.auth_handler = self.get_auth_handler()
