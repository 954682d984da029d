"""When certificates end, read from their files by hand: the library would verify them, and the
tool `openssl` need not be there."""

from __future__ import annotations

import calendar
import re
import ssl
import time
from typing import Iterator, Mapping, Tuple

from xgen_deploy.probe.remote.reading import read_text
from xgen_deploy.watch.remote.samples import Sample, sample

LONGEST = 1 << 20
SEQUENCE, VERSION, UTC_TIME = 0x30, 0xA0, 0x17
_PEM = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)

Element = Tuple[int, bytes]


def certificate_samples(files: Mapping[str, str]) -> list[Sample]:
    """One that cannot be read has none: its server tells."""
    told = []
    for name, path in files.items():
        try:
            at = ends(read_text(path, LONGEST) or "")
        except ValueError:
            continue
        told.append(sample("xgen_certificate_expiry_timestamp_seconds", at, certificate=name))
    return told


def ends(pem: str) -> int:
    """When the first certificate in a text ends (RFC 5280, 4.1). Raises ValueError."""
    first = _PEM.search(pem)
    if first is None:
        raise ValueError("there is no certificate in it")
    fields = list(_elements(_only(_only(ssl.PEM_cert_to_DER_cert(first[0])))))
    if fields and fields[0][0] == VERSION:
        fields = fields[1:]
    _serial, _algorithm, _issuer, validity = fields[:4]
    kind, text = list(_elements(validity[1]))[1]
    return _moment(kind, text.decode("ascii"))


def _only(data: bytes) -> bytes:
    """The content of the first element."""
    return next(_elements(data), (SEQUENCE, b""))[1]


def _elements(data: bytes) -> Iterator[Element]:
    """Tag and content of each (X.690, 8.1). Raises ValueError where it is cut."""
    place = 0
    while place < len(data):
        head = data[place : place + 2]
        if len(head) < 2:
            raise ValueError("it is cut")
        place += 2
        length = head[1]
        if length & 0x80:
            more = length & 0x7F
            length = int.from_bytes(data[place : place + more], "big")
            place += more
        if place + length > len(data):
            raise ValueError("it is cut")
        yield head[0], data[place : place + length]
        place += length


def _moment(kind: int, text: str) -> int:
    """A year of two digits is one of 1950 to 2049."""
    if kind == UTC_TIME:
        text = ("19" if text[:2] >= "50" else "20") + text
    return calendar.timegm(time.strptime(text, "%Y%m%d%H%M%SZ"))
