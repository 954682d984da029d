"""OpenSSH's certificates: which key one is for, whom it lets in, and until when."""

import time
from base64 import b64decode, b64encode
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.hazmat.primitives.serialization.ssh import (
    SSHCertificate,
    load_ssh_public_identity,
)

CERTIFIED = "-cert-v01@openssh.com"
_MOST_BYTES = 1 << 20


@dataclass(frozen=True)
class Certificate:
    """`public` is the plain key that it certifies, `principals` the users that it may log in as."""

    file: str
    kind: str
    blob: bytes
    public: bytes
    begins: int
    ends: int
    principals: tuple[str, ...]

    def refusal(self, user: str) -> str:
        """Why no server takes it now for this user; "" where nothing speaks against it."""
        now = time.time()
        if now >= self.ends:
            return f"{self.file} ended {_date(self.ends)}: get a new certificate"
        if now < self.begins:
            return f"{self.file} begins {_date(self.begins)}: check the clock of this machine"
        if self.principals and user not in self.principals:
            return f"{self.file} is for {', '.join(self.principals)}, not for {user}"
        return ""


def read_certificate(file: str) -> Certificate:
    """Raises OSError, and ValueError for what is no certificate, or one of an unknown kind."""
    with Path(file).open() as opened:
        kind, text = (*opened.read(_MOST_BYTES).split(), "", "")[:2]
    if not kind.endswith(CERTIFIED):
        raise ValueError("it is no certificate of OpenSSH")
    blob = b64decode(text, validate=True)
    certificate = _parsed(kind, blob)
    return Certificate(
        file=file,
        kind=kind,
        blob=blob,
        public=_public(certificate),
        begins=certificate.valid_after,
        ends=certificate.valid_before,
        principals=tuple(name.decode(errors="replace") for name in certificate.valid_principals),
    )


def certified_key(kind: str, blob: bytes) -> bytes:
    """The plain key of a certificate; anything else, and what cannot be read, as it is."""
    try:
        return _public(_parsed(kind, blob)) if kind.endswith(CERTIFIED) else blob
    except ValueError:
        return blob


def _parsed(kind: str, blob: bytes) -> SSHCertificate:
    try:
        parsed = load_ssh_public_identity(kind.encode() + b" " + b64encode(blob))
    except UnsupportedAlgorithm:
        raise ValueError(f"its type {kind} is not known") from None
    if not isinstance(parsed, SSHCertificate):
        raise ValueError("it is a plain public key")
    return parsed


def _public(certificate: SSHCertificate) -> bytes:
    line = certificate.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    return b64decode(line.split()[1])


def _date(seconds: int) -> str:
    return time.strftime("on %Y-%m-%d at %H:%M UTC", time.gmtime(seconds))
