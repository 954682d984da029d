"""Log in with a key, from a file or the ssh-agent; never with a password."""

import socket
import threading
from base64 import b64decode
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import paramiko
from cryptography.exceptions import UnsupportedAlgorithm
from paramiko.agent import AgentKey, AgentSSH

from xgen_deploy.errors import UnreachableError
from xgen_deploy.transport.target import Target


class _Locked(Exception):
    """A key file is encrypted."""


class KeyFiles:
    """The private keys of one run, each file read once."""

    def __init__(self) -> None:
        self._loaded: dict[str, paramiko.PKey | Exception] = {}
        self._lock = threading.Lock()

    def load(self, file: str) -> paramiko.PKey:
        """Raises OSError, _Locked for an encrypted key, ValueError for a file that is no key."""
        with self._lock:
            if file not in self._loaded:
                self._loaded[file] = _load(file)
            loaded = self._loaded[file]
        if isinstance(loaded, Exception):
            raise loaded
        return loaded


def _load(file: str) -> paramiko.PKey | Exception:
    try:
        return paramiko.PKey.from_path(file)
    except OSError as error:
        return error
    except (TypeError, paramiko.PasswordRequiredException):
        return _Locked(file)
    except (ValueError, paramiko.SSHException, UnsupportedAlgorithm) as error:
        return ValueError(str(error))


class Agent(AgentSSH):
    """The ssh-agent at a socket; one that does not answer has no keys."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self._socket = socket.socket(socket.AF_UNIX)
        try:
            self._socket.settimeout(10.0)
            self._socket.connect(path)
            self._connect(self._socket)  # type: ignore[attr-defined]
        except (OSError, paramiko.SSHException):
            self.close()

    def close(self) -> None:
        self._close()  # type: ignore[attr-defined]
        self._socket.close()


class _Transport(Protocol):
    def auth_publickey(self, username: str, key: paramiko.PKey) -> list[str]: ...


@dataclass
class KeyLogin:
    """What paramiko calls an authentication strategy. `host` is for messages."""

    host: str
    target: Target
    key_files: KeyFiles
    tried: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def authenticate(self, transport: _Transport) -> None:
        """Raises UnreachableError that names the user and what was tried."""
        agent = Agent(self.target.agent) if self.target.agent else None
        try:
            for name, key in self._candidates(agent.get_keys() if agent else ()):
                self.tried.append(name)
                try:
                    more = transport.auth_publickey(self.target.user, key)
                except paramiko.BadAuthenticationType as error:
                    raise self._needs_more(error.allowed_types) from None
                except paramiko.AuthenticationException as error:
                    if "shut down" in str(error):
                        raise self._closed() from None
                    continue
                except (paramiko.SSHException, EOFError, OSError) as error:
                    self.notes.append(f"{name}: {error}")
                    continue
                if more:
                    raise self._needs_more(more)
                return
        finally:
            if agent:
                agent.close()
        raise self._failed()

    def _candidates(self, agent_keys: tuple[AgentKey, ...]) -> list[tuple[str, paramiko.PKey]]:
        """Key files first (through the agent where it holds them), then the agent's other keys."""
        held = {key.asbytes(): key for key in agent_keys}
        candidates: list[tuple[str, paramiko.PKey]] = []
        for file in self.target.identity_files:
            public = _public_part(file)
            if public in held:
                candidates.append((f"{file} (ssh-agent)", held.pop(public)))
                continue
            try:
                candidates.append((file, self.key_files.load(file)))
            except _Locked:
                self.notes.append(f"{file} has a passphrase: add it with `ssh-add {file}`")
            except OSError as error:
                if self.target.stated_keys:
                    self.notes.append(f"{file}: {error.strerror}")
            except ValueError:
                self.notes.append(f"{file} is not a readable private key")
        if not self.target.identities_only:
            others: list[tuple[str, paramiko.PKey]] = [
                (f"ssh-agent {key.comment or key.get_name()}", key) for key in held.values()
            ]
            first_files = self.target.stated_keys
            candidates = candidates + others if first_files else others + candidates
        return candidates

    def _failed(self) -> UnreachableError:
        tried = f"tried: {', '.join(self.tried)}" if self.tried else "there was no key to try"
        notes = "".join(f"\n  {note}" for note in self.notes)
        return UnreachableError(
            self.host,
            f"{self.target.user} could not log in: no key was accepted ({tried}){notes}",
            f"Add your public key to ~{self.target.user}/.ssh/authorized_keys there, or name the "
            "right key: `ansible_ssh_private_key_file` in the inventory, or `IdentityFile` in "
            "~/.ssh/config.",
        )

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


def _public_part(file: str) -> bytes | None:
    try:
        fields = Path(file + ".pub").read_text().split()
        return b64decode(fields[1], validate=True)
    except (OSError, ValueError, IndexError):
        return None
