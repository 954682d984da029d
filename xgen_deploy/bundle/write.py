"""Writes a bundle. What an interrupted `create` left is gone on with: each chunk that is there
already is proved, not trusted.
"""

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from xgen_deploy.bundle.index import CHUNK, Blob, Index, read_index
from xgen_deploy.bundle.volumes import (
    Head,
    data_sizes,
    extents,
    read_head,
    volume_path,
)
from xgen_deploy.errors import XgenError
from xgen_deploy.frozen import replace
from xgen_deploy.sizes import size_text
from xgen_deploy.transfer.local_file import Extent, chunk_of

_PIECE = 1 << 20
# For the list of volumes and the signature, which come to be known last.
_SLACK = 1 << 16
_DRAFT = ".part"
Source = Path | bytes


@dataclass(frozen=True)
class Written:
    """`resumed`: bytes that were there already. `bootstrap`: the folder of wheels beside it.
    `encrypted` are files in place of the volumes. `digest` is the SHA-256 of the index."""

    index: Index
    volumes: tuple[Path, ...]
    signed: bool
    resumed: int
    digest: str
    bootstrap: Path | None = None
    encrypted: tuple[Path, ...] = ()

    @property
    def files(self) -> tuple[Path, ...]:
        """What is there now."""
        return self.encrypted or self.volumes


def write_bundle(
    index: Index,
    sources: Mapping[str, Source],
    output: Path,
    *,
    sign: Callable[[bytes], bytes] | None,
    volume_size: int | None = None,
    tell: Callable[[int], object] = int,
) -> Written:
    """`index` has no volumes yet; `sources` are its blobs by digest. `tell` is called with bytes
    that were written or are there. Raises XgenError and OSError.
    """
    index = _with_volumes(index, volume_size)
    content, signature, index = _begun(index, output, sign is not None) or _signed(index, sign)
    head = Head(1, len(content), len(signature), index.volumes[0], hashlib.sha256(content).digest())
    heads = [head]
    for number, size in enumerate(index.volumes[1:], 2):
        heads.append(Head(number, 0, 0, size, head.digest))
    drafts = [_draft(volume_path(output, h.number)) for h in heads]
    _check_room(output, sum(h.start + h.data for h in heads) - _taken(drafts))
    with ExitStack() as stack:
        files = [stack.enter_context(_open(draft)) for draft in drafts]
        for own, file in zip(heads, files, strict=True):
            file.seek(0)
            file.write(own.encoded() + (content + signature if own.number == 1 else b""))
        places = [(d, h.start) for d, h in zip(drafts, heads, strict=True)]
        resumed = _write_data(index, sources, dict(zip(drafts, files, strict=True)), places, tell)
        for own, file in zip(heads, files, strict=True):
            file.truncate(own.start + own.data)
            file.flush()
            os.fsync(file.fileno())
    volumes = tuple(volume_path(output, h.number) for h in heads)
    for draft, volume in zip(drafts, volumes, strict=True):
        draft.replace(volume)
    return Written(index, volumes, bool(signature), resumed, head.digest.hex())


def _with_volumes(index: Index, volume_size: int | None) -> Index:
    before = len(index.encoded()) + _SLACK
    return replace(index, volumes=data_sizes(index.size, volume_size, before))


def _signed(index: Index, sign: Callable[[bytes], bytes] | None) -> tuple[bytes, bytes, Index]:
    content = index.encoded()
    return content, sign(content) if sign is not None else b"", index


def _begun(index: Index, output: Path, signed: bool) -> tuple[bytes, bytes, Index] | None:
    """The index of a draft that is of the same parts, with its signature."""
    draft = _draft(output)
    with suppress(OSError, XgenError), draft.open("rb") as file:
        head = read_head(file, draft)
        content, signature = file.read(head.index), file.read(head.signature)
        if hashlib.sha256(content).digest() != head.digest or bool(signature) != signed:
            return None
        earlier = read_index(content, str(draft))
        if replace(earlier, serial=index.serial, created=index.created) == index:
            return content, signature, earlier
    return None


def _write_data(
    index: Index,
    sources: Mapping[str, Source],
    files: Mapping[Path, BinaryIO],
    places: Sequence[tuple[Path, int]],
    tell: Callable[[int], object],
) -> int:
    """The bytes that were there already."""
    at = resumed = 0
    for blob in index.blobs:
        if not blob.held:
            continue
        offset = 0
        for chunk, right in enumerate(blob.chunks):
            length = min(CHUNK, blob.size - offset)
            where = list(extents(at, length, index.volumes, places))
            if _digest(_present(files, where)) == right:
                resumed += length
            else:
                _write_chunk(files, where, sources[blob.sha256], blob, chunk)
            tell(length)
            offset += length
            at += length
    return resumed


def _write_chunk(
    files: Mapping[Path, BinaryIO], where: list[Extent], source: Source, blob: Blob, chunk: int
) -> None:
    """Raises XgenError where the source is not what it was."""
    digest = hashlib.sha256()
    pieces = _pieces(source, chunk, blob.size)
    rest = b""
    for extent in where:
        file = files[extent.path]
        file.seek(extent.start)
        left = extent.length
        while left:
            rest = rest or next(pieces)
            part, rest = rest[:left], rest[left:]
            digest.update(part)
            file.write(part)
            left -= len(part)
    if digest.hexdigest() != blob.chunks[chunk]:
        name = source if isinstance(source, Path) else "a text"
        raise XgenError(f"{name} changed while it was read: start again")


def _pieces(source: Source, chunk: int, size: int) -> Iterator[bytes]:
    if isinstance(source, bytes):
        start = chunk * CHUNK
        return iter([source[start : start + CHUNK]])
    return chunk_of(source, chunk, size, piece=_PIECE)


def _present(files: Mapping[Path, BinaryIO], where: list[Extent]) -> Iterator[bytes]:
    for extent in where:
        file, left = files[extent.path], extent.length
        file.seek(extent.start)
        while left and (data := file.read(min(_PIECE, left))):
            yield data
            left -= len(data)


def _digest(pieces: Iterator[bytes]) -> str:
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(piece)
    return digest.hexdigest()


def _open(draft: Path) -> BinaryIO:
    return os.fdopen(os.open(draft, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "r+b")


def _draft(path: Path) -> Path:
    return path.with_name(path.name + _DRAFT)


def _taken(drafts: Sequence[Path]) -> int:
    return sum(draft.stat().st_size for draft in drafts if draft.exists())


def _check_room(output: Path, needed: int) -> None:
    free = shutil.disk_usage(output.parent).free
    if needed > free:
        raise XgenError(
            f"{output.parent} has {size_text(free)} free, and the bundle takes "
            f"{size_text(needed)}; `-o` names another place"
        )
