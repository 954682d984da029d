"""OpenSSH's known_hosts files: the known keys of a host. Pure."""

import binascii
import hashlib
import hmac
from base64 import b64decode, b64encode
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from fnmatch import fnmatchcase


@dataclass(frozen=True)
class Key:
    """A public host key. `kind` is its type as in known_hosts: ssh-rsa for every RSA key."""

    kind: str
    blob: bytes

    @property
    def fingerprint(self) -> str:
        digest = hashlib.sha256(self.blob).digest()
        return f"{self.kind} SHA256:{b64encode(digest).decode().rstrip('=')}"


@dataclass(frozen=True)
class Entry:
    """One line. `marker` is "", "@revoked" or "@cert-authority"; `where` is file:line."""

    marker: str
    names: tuple[str, ...]
    key: Key
    where: str


class Verdict(Enum):
    KNOWN = "known"
    UNKNOWN = "unknown"
    CHANGED = "changed"
    REVOKED = "revoked"


def parse(text: str, file: str) -> tuple[Entry, ...]:
    """The entries of a file; malformed lines are skipped, as OpenSSH does."""
    parsed = (_entry(line, f"{file}:{n}") for n, line in enumerate(text.splitlines(), 1))
    return tuple(entry for entry in parsed if entry is not None)


def known_name(address: str, port: int) -> str:
    """A host's name in known_hosts: `address`, or `[address]:port` where the port is not 22."""
    return address.lower() if port == 22 else f"[{address.lower()}]:{port}"


def judge(entries: Iterable[Entry], name: str, presented: Key) -> tuple[Verdict, tuple[Entry, ...]]:
    """Whether the `presented` key is `name`'s, and the entries that decide it.

    A host with other known keys but not this one has CHANGED. An entry without a port also makes
    a key KNOWN on other ports, but never CHANGED.
    """
    listed = tuple(entries)
    revoked = tuple(e for e in listed if e.marker == "@revoked" and e.key == presented)
    if any(_matches(e, name) or _matches(e, _without_port(name)) for e in revoked):
        return Verdict.REVOKED, revoked
    keys = known_keys(listed, name)
    same = tuple(entry for entry in keys if entry.key == presented)
    if same:
        return Verdict.KNOWN, same
    if keys:
        return Verdict.CHANGED, keys
    portless = known_keys(listed, _without_port(name))
    same = tuple(entry for entry in portless if entry.key == presented)
    return (Verdict.KNOWN, same) if same else (Verdict.UNKNOWN, ())


def known_keys(entries: Iterable[Entry], name: str) -> tuple[Entry, ...]:
    """The entries for `name` without a marker: neither revoked nor of a certificate authority."""
    return tuple(entry for entry in entries if not entry.marker and _matches(entry, name))


def known_kinds(entries: Iterable[Entry], name: str) -> tuple[str, ...]:
    """The types of a host's known keys; the handshake offers these first."""
    listed = tuple(entries)
    keys = known_keys(listed, name) or known_keys(listed, _without_port(name))
    return tuple(dict.fromkeys(entry.key.kind for entry in keys))


def has_authority(entries: Iterable[Entry], name: str) -> bool:
    """Whether an entry names a certificate authority for `name`; certificates are not supported."""
    return any(e.marker == "@cert-authority" and _matches(e, name) for e in entries)


def to_line(name: str, key: Key) -> str:
    return f"{name} {key.kind} {b64encode(key.blob).decode()}\n"


def _entry(line: str, where: str) -> Entry | None:
    fields = line.split()
    marker = fields.pop(0) if fields and fields[0].startswith("@") else ""
    if len(fields) < 3 or fields[0].startswith("#"):
        return None
    try:
        blob = b64decode(fields[2], validate=True)
    except (binascii.Error, ValueError):
        return None
    return Entry(marker, tuple(fields[0].split(",")), Key(fields[1], blob), where)


def _without_port(name: str) -> str:
    return name[1:].rpartition("]:")[0] if name.startswith("[") else name


def _matches(entry: Entry, name: str) -> bool:
    matched = False
    for pattern in entry.names:
        if pattern.startswith("|1|"):
            matched = matched or _hashed(pattern, name)
        elif pattern.startswith("!"):
            if _glob(pattern[1:], name):
                return False
        else:
            matched = matched or _glob(pattern, name)
    return matched


def _glob(pattern: str, name: str) -> bool:
    if "*" not in pattern and "?" not in pattern:
        return pattern.lower() == name  # fnmatch compiles each pattern: slow for long files
    return fnmatchcase(name, pattern.lower().replace("[", "[[]"))


def _hashed(pattern: str, name: str) -> bool:
    try:
        salt, digest = (b64decode(part) for part in pattern.split("|")[2:4])
    except (binascii.Error, ValueError):
        return False
    return hmac.compare_digest(hmac.digest(salt, name.encode(), "sha1"), digest)
