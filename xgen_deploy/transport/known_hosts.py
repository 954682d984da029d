"""OpenSSH's known_hosts files: which keys a host is known by. Pure."""

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
    """The entries of a file; lines that make no sense are passed over, as OpenSSH does."""
    found = (_entry(line, f"{file}:{n}") for n, line in enumerate(text.splitlines(), 1))
    return tuple(entry for entry in found if entry is not None)


def known_name(address: str, port: int) -> str:
    """How known_hosts calls a host: `address`, or `[address]:port` where the port is not 22."""
    return address.lower() if port == 22 else f"[{address.lower()}]:{port}"


def judge(entries: Iterable[Entry], name: str, shown: Key) -> tuple[Verdict, tuple[Entry, ...]]:
    """What the `shown` key is worth for `name`, and the entries that say so.

    A host known by any other key and not by this one has changed. An entry without the port
    vouches for a host on another port too, and never makes it a changed one.
    """
    listed = tuple(entries)
    revoked = tuple(e for e in listed if e.marker == "@revoked" and e.key == shown)
    if any(_matches(e, name) or _matches(e, _without_port(name)) for e in revoked):
        return Verdict.REVOKED, revoked
    keys = known_keys(listed, name)
    same = tuple(entry for entry in keys if entry.key == shown)
    if same:
        return Verdict.KNOWN, same
    if keys:
        return Verdict.CHANGED, keys
    portless = known_keys(listed, _without_port(name))
    same = tuple(entry for entry in portless if entry.key == shown)
    return (Verdict.KNOWN, same) if same else (Verdict.UNKNOWN, ())


def known_keys(entries: Iterable[Entry], name: str) -> tuple[Entry, ...]:
    """The plain entries for `name`: neither revoked nor a certificate authority's."""
    return tuple(entry for entry in entries if not entry.marker and _matches(entry, name))


def known_kinds(entries: Iterable[Entry], name: str) -> tuple[str, ...]:
    """The key types that a host is known by, to be asked for first."""
    listed = tuple(entries)
    keys = known_keys(listed, name) or known_keys(listed, _without_port(name))
    return tuple(dict.fromkeys(entry.key.kind for entry in keys))


def has_authority(entries: Iterable[Entry], name: str) -> bool:
    """Whether a certificate authority vouches for `name`: certificates are not read here."""
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
    return fnmatchcase(name, pattern.lower().replace("[", "[[]"))


def _hashed(pattern: str, name: str) -> bool:
    try:
        salt, digest = (b64decode(part) for part in pattern.split("|")[2:4])
    except (binascii.Error, ValueError):
        return False
    return hmac.compare_digest(hmac.digest(salt, name.encode(), "sha1"), digest)
