"""Log in with a key, from a file or the ssh-agent; never with a password."""

from dataclasses import dataclass, field
from typing import Protocol

import paramiko

from xgen_deploy.errors import UnreachableError
from xgen_deploy.transport.agent import Agent, HeldKey, NotSigned
from xgen_deploy.transport.identities import Identities, Identity, KeyFiles
from xgen_deploy.transport.target import Target


class _Transport(Protocol):
    def offer(self, username: str, key: paramiko.PKey) -> list[str]: ...
    def auth_publickey(self, username: str, key: paramiko.PKey) -> list[str]: ...


@dataclass
class KeyLogin:
    """What paramiko calls an authentication strategy. `host` is for messages."""

    host: str
    target: Target
    key_files: KeyFiles
    tried: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    unsigned: bool = False

    def authenticate(self, transport: _Transport) -> None:
        """Raises UnreachableError that names the user and what was tried."""
        agent = Agent(self.target.agent) if self.target.agent else None
        held: dict[bytes, list[HeldKey]] = {}
        for key in agent.held() if agent else ():
            held.setdefault(key.public, []).append(key)
        try:
            for identity in Identities(self.target, self.key_files, held, self.notes).in_order():
                if self._logs_in(transport, identity):
                    return
        finally:
            if agent:
                agent.close()
        raise self._failed()

    def _logs_in(self, transport: _Transport, identity: Identity) -> bool:
        self.tried.append(identity.name)
        try:
            more: list[str] = []
            if identity.in_agent:
                more = transport.offer(self.target.user, identity.key)
            more = more or transport.auth_publickey(self.target.user, identity.key)
        except NotSigned as error:
            self.notes.append(
                f"{identity.name}: the server takes it, but the ssh-agent did not sign ({error})"
            )
            self.unsigned = True
        except paramiko.BadAuthenticationType as error:
            raise self._needs_more(error.allowed_types) from None
        except paramiko.AuthenticationException as error:
            if "shut down" in str(error):
                raise self._closed() from None
            if identity.certificate and (why := identity.certificate.refusal(self.target.user)):
                self.notes.append(why)
        except (paramiko.SSHException, EOFError, OSError) as error:
            self.notes.append(f"{identity.name}: {error}")
        else:
            if more:
                raise self._needs_more(more)
            return True
        return False

    def _failed(self) -> UnreachableError:
        tried = f"tried: {', '.join(self.tried)}" if self.tried else "there was no key to try"
        notes = "".join(f"\n  {note}" for note in self.notes)
        hint = (
            "Confirm the key when the agent asks, touch the security key, or unlock the agent."
            if self.unsigned
            else f"Add your public key to ~{self.target.user}/.ssh/authorized_keys there, or name "
            "the right key: `ansible_ssh_private_key_file` in the inventory, or `IdentityFile` in "
            "~/.ssh/config."
        )
        reason = f"{self.target.user} could not log in: no key was accepted ({tried}){notes}"
        return UnreachableError(self.host, reason, hint)

    def _closed(self) -> UnreachableError:
        return UnreachableError(
            self.host,
            f"it closed the connection after {len(self.tried)} attempts to log in as "
            f"{self.target.user} (tried: {', '.join(self.tried)})",
            "Name the right key with `IdentityFile` and `IdentitiesOnly yes` in ~/.ssh/config.",
        )

    def _needs_more(self, allowed: list[str]) -> UnreachableError:
        return UnreachableError(
            self.host,
            f"{self.target.user} cannot log in with a key alone: it requires {', '.join(allowed)}",
            "Allow `publickey` alone for this user in its sshd_config; passwords are never used.",
        )
