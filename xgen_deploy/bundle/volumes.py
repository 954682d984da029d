"""How a bundle lies in its files: each begins with a head of fixed length, the first then has the
index and its signature, and all go on with data, which is one stream over all of them.
"""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from xgen_deploy.bundle.index import LONGEST
from xgen_deploy.errors import XgenError
from xgen_deploy.transfer.local_file import Extent

MAGIC = b"xgen-bdl"
LONGEST_SIGNATURE = 1 << 16
_HEAD = struct.Struct(">8sIIIQ32s4x")
_ENCRYPTED = b"age-encryption.org/"


@dataclass(frozen=True)
class Head:
    """`index` and `signature` are their bytes, 0 but in the first volume; `data` those after them.
    `digest` is the SHA-256 of the index, in all volumes."""

    number: int
    index: int
    signature: int
    data: int
    digest: bytes

    def encoded(self) -> bytes:
        return _HEAD.pack(MAGIC, self.number, self.index, self.signature, self.data, self.digest)

    @property
    def start(self) -> int:
        """Of the data."""
        return _HEAD.size + self.index + self.signature


def read_head(file: BinaryIO, path: Path) -> Head:
    """Raises XgenError where it is no volume of a bundle, and OSError."""
    content = file.read(_HEAD.size)
    if content.startswith(_ENCRYPTED):
        raise XgenError(
            f"{path} is encrypted; `age -d -i KEY -o {path.name.removesuffix('.age')} {path.name}` "
            "makes the bundle of it"
        )
    if len(content) < _HEAD.size or not content.startswith(MAGIC):
        raise XgenError(f"{path} is no bundle, or only the beginning of one")
    _, number, index, signature, data, digest = _HEAD.unpack(content)
    if index > LONGEST or signature > LONGEST_SIGNATURE or number < 1:
        raise XgenError(f"{path} is no bundle that can be read: its head is wrong")
    return Head(number, index, signature, data, digest)


def volume_path(first: Path, number: int) -> Path:
    """`site.xgen`, `site.xgen.2`, …"""
    return first if number == 1 else first.with_name(f"{first.name}.{number}")


def data_sizes(total: int, volume_size: int | None, before: int) -> tuple[int, ...]:
    """Of each volume, where the first has so many bytes before its data. Raises XgenError where
    volumes of this size are too small."""
    if volume_size is None:
        return (total,)
    first, each = volume_size - before, volume_size - _HEAD.size
    if first < 0:
        raise XgenError(f"a volume has to have at least {before} bytes, which the index takes")
    sizes = [min(total, first)]
    while (left := total - sum(sizes)) > 0:
        sizes.append(min(left, each))
    return tuple(sizes)


def extents(
    start: int, length: int, sizes: Sequence[int], places: Sequence[tuple[Path, int]]
) -> Iterator[Extent]:
    """Where bytes of the stream lie; `places` are the volumes' paths, and where their data
    begins."""
    at, end = 0, start + length
    for size, (path, begins) in zip(sizes, places, strict=True):
        first, last = max(start, at), min(end, at + size)
        if first < last:
            yield Extent(path, begins + first - at, last - first)
        at += size
