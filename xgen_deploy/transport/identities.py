"""The keys that a login tries, in their order: files, the agent's, each with its certificates."""

import threading
from base64 import b64decode
from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass, field
from pathlib import Path

import paramiko
from cryptography.exceptions import UnsupportedAlgorithm
from paramiko.message import Message
from paramiko.pkey import PublicBlob

from xgen_deploy.transport.agent import HeldKey
from xgen_deploy.transport.certificates import (
    CERTIFIED,
    Certificate,
    certified_key,
    read_certificate,
)
from xgen_deploy.transport.target import Target

_PRIVATE = b"openssh-key-v1\0"


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
        key = paramiko.PKey.from_path(file)
    except OSError as error:
        return error
    except (TypeError, paramiko.PasswordRequiredException):
        return _Locked(file)
    except (ValueError, paramiko.SSHException, UnsupportedAlgorithm) as error:
        return ValueError(str(error))
    key.public_blob = None  # certificates are read here, and the key alone is tried too
    return key


@dataclass(frozen=True)
class Identity:
    """`key` is shown to the server as its certificate where it has one."""

    name: str
    key: paramiko.PKey
    certificate: Certificate | None = None

    @property
    def in_agent(self) -> bool:
        return isinstance(self.key, HeldKey)


@dataclass
class Identities:
    """What one target's settings and the agent's keys give; `notes` say why a key is not there."""

    target: Target
    key_files: KeyFiles
    held: dict[bytes, list[HeldKey]]
    notes: list[str] = field(default_factory=list)

    def in_order(self) -> list[Identity]:
        """Key files first (through the agent where it holds them), then the agent's other keys."""
        certificates = self._certificates()
        of_files = [each for file in self.target.identity_files for each in self._of_file(file)]
        alone = [each for each in self._held_by_agent() if self._is_certified(each, certificates)]
        candidates = of_files + alone
        if not self.target.identities_only:
            others = [each for each in self._held_by_agent() if each not in alone]
            candidates = candidates + others if self.target.stated_keys else others + candidates
        self._tell_of_unused(certificates, candidates)
        tried = [each for identity in candidates for each in _with(identity, certificates)]
        return list({_shown(each.key): each for each in reversed(tried)}.values())[::-1]

    def _of_file(self, file: str) -> Iterator[Identity]:
        public = public_part(file)
        if public in self.held:
            for key in self.held.pop(public):
                yield Identity(f"{file} (ssh-agent)", key)
            return
        try:
            yield Identity(file, self.key_files.load(file))
        except _Locked:
            self.notes.append(f"{file} has a passphrase: add it with `ssh-add {file}`")
        except OSError as error:
            if self.target.stated_keys:
                self.notes.append(f"{file}: {error.strerror}")
        except ValueError:
            self.notes.append(self._no_private_key(file, public))

    def _no_private_key(self, file: str, public: bytes | None) -> str:
        if public is None:
            return f"{file} is not a readable private key"
        agent = self.target.agent
        where = f"the ssh-agent at {agent} does not hold its key" if agent else "there is no agent"
        if Message(public).get_text().startswith("sk-"):
            return f"{file} is on a security key, and {where}: add it with `ssh-add`"
        return f"{file} is a public key, and {where}: unlock it, or name its `IdentityAgent`"

    def _held_by_agent(self) -> list[Identity]:
        return [
            Identity(f"ssh-agent {key.comment or key.get_name()}", key)
            for keys in self.held.values()
            for key in keys
        ]

    def _certificates(self) -> list[Certificate]:
        certificates: list[Certificate] = []
        for file in self.target.certificate_files:
            try:
                certificates.append(read_certificate(file))
            except OSError as error:
                self.notes.append(f"{file}: {error.strerror}")
            except ValueError as error:
                self.notes.append(f"{file} is not a certificate that can be used ({error})")
        for file in self.target.identity_files:
            beside = file.removesuffix(".pub") + "-cert.pub"
            if Path(beside).exists():
                try:
                    certificates.append(read_certificate(beside))
                except (OSError, ValueError) as error:
                    self.notes.append(f"{beside} is not a certificate that can be used ({error})")
        return certificates

    def _is_certified(self, identity: Identity, certificates: list[Certificate]) -> bool:
        return any(certificate.public == _public(identity.key) for certificate in certificates)

    def _tell_of_unused(self, certificates: list[Certificate], tried: list[Identity]) -> None:
        keys = {_public(identity.key) for identity in tried}
        self.notes += [
            f"{certificate.file} is for a key that is neither named here nor in the ssh-agent"
            for certificate in certificates
            if certificate.public not in keys
        ]


def _with(identity: Identity, certificates: list[Certificate]) -> Iterator[Identity]:
    """An identity with each of its certificates, then as it is."""
    plain = not identity.key.get_name().endswith(CERTIFIED)
    for certificate in certificates:
        if plain and certificate.public == _public(identity.key):
            blob = PublicBlob(certificate.kind, certificate.blob)
            if isinstance(identity.key, HeldKey):
                key: paramiko.PKey = identity.key.with_certificate(blob)
            else:
                key = copy(identity.key)
                key.public_blob = blob
            yield Identity(f"{identity.name} with {certificate.file}", key, certificate)
    yield identity


def _public(key: paramiko.PKey) -> bytes:
    return key.public if isinstance(key, HeldKey) else key.asbytes()


def _shown(key: paramiko.PKey) -> bytes:
    """What the server sees of it."""
    return key.public_blob.key_blob if key.public_blob else key.asbytes()


def public_part(file: str) -> bytes | None:
    """The public key of an identity file: the file may be it, hold it, or have it beside."""
    for name in (file, file + ".pub"):
        try:
            text = Path(name).read_text()
        except (OSError, ValueError):
            continue
        public = _in_one_line(text) or _in_private_key(text)
        if public is not None:
            return public
    return None


def _in_one_line(text: str) -> bytes | None:
    fields = text.split(None, 2)
    if len(fields) < 2 or text.startswith("-"):
        return None
    try:
        blob = b64decode(fields[1], validate=True)
        if Message(blob).get_text() != fields[0]:
            return None
        return certified_key(fields[0], blob)
    except (ValueError, paramiko.SSHException):
        return None


def _in_private_key(text: str) -> bytes | None:
    """OpenSSH's format has the public key in clear beside an encrypted private one."""
    lines = text.strip().splitlines()
    if not lines or "BEGIN OPENSSH PRIVATE KEY" not in lines[0]:
        return None
    try:
        content = b64decode("".join(lines[1:-1]), validate=True)
    except ValueError:
        return None
    message = Message(content.removeprefix(_PRIVATE))
    for _ in ("cipher", "kdf", "its options"):
        message.get_string()
    message.get_int()
    return message.get_binary()
