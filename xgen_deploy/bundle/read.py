"""A bundle that was opened: its signature was checked before its index was read, and its index
proves every other byte of it.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from pathlib import Path

from xgen_deploy.bundle.index import CHUNK, Blob, Index, digest_of, read_index
from xgen_deploy.bundle.signature import signer_of, usual_signers
from xgen_deploy.bundle.volumes import Head, extents, read_head, volume_path
from xgen_deploy.errors import XgenError
from xgen_deploy.transfer.local_file import Extent, Stored, chunk_of

_PIECE = 1 << 20
_SMALL = 16 << 20


@dataclass(frozen=True)
class Trust:
    """Whose bundles are taken: `signers` is a file of allowed ones, None the usual file."""

    signers: str | None = None
    unsigned: bool = False


@dataclass(frozen=True)
class Damage:
    """A chunk that is not what the index says, and where it lies."""

    blob: Blob
    chunk: int
    extents: tuple[Extent, ...]


@dataclass(frozen=True)
class Bundle:
    """`signed`: it has a signature; `signer` is whose was good, None for one that was not checked
    or is by nobody who is allowed. `starts`: where the data of each volume begins in its file.
    """

    path: Path
    index: Index
    digest: str
    signer: str | None
    starts: tuple[int, ...]
    signed: bool = False

    @cached_property
    def _offsets(self) -> dict[str, tuple[int, Blob]]:
        held = [blob for blob in self.index.blobs if blob.held]
        starts = accumulate((blob.size for blob in held), initial=0)
        return {blob.sha256: (start, blob) for start, blob in zip(starts, held, strict=False)}

    def has(self, sha256: str) -> bool:
        return sha256 in self._offsets

    def stored(self, sha256: str) -> tuple[Stored, Blob]:
        """Raises XgenError where it was left out."""
        known = self._offsets.get(sha256)
        if known is None:
            raise XgenError(f"{self.path.name} does not hold the file {sha256}")
        start, blob = known
        places = [(volume_path(self.path, n), s) for n, s in enumerate(self.starts, 1)]
        return Stored(tuple(extents(start, blob.size, self.index.volumes, places))), blob

    def content(self, sha256: str) -> bytes:
        """Of a small file, proved. Raises XgenError."""
        stored, blob = self.stored(sha256)
        if blob.size > _SMALL:
            raise XgenError(f"{self.path.name}: a text of {blob.size} bytes is none")
        data = b"".join(p for n in range(len(blob.chunks)) for p in _read(stored, blob, n))
        if digest_of(data) != sha256:
            raise XgenError(f"{self.path.name} is damaged; `xgen-deploy bundle verify` says where")
        return data

    def damages(self) -> Iterator[Damage | int]:
        """Reads all of it: the bytes of each chunk that is right, and what is not. Raises
        OSError."""
        for blob in self.index.blobs:
            if not blob.held:
                continue
            stored, _ = self.stored(blob.sha256)
            for number, right in enumerate(blob.chunks):
                digest, count = hashlib.sha256(), 0
                for piece in _read(stored, blob, number):
                    digest.update(piece)
                    count += len(piece)
                if digest.hexdigest() == right:
                    yield count
                else:
                    yield Damage(blob, number, tuple(_where(stored, number)))


def open_bundle(path: str, trust: Trust | None) -> Bundle:
    """`trust` None: whoever signed it; for what only looks at it. Raises XgenError where it is not
    a whole bundle of somebody who is allowed."""
    first = Path(path)
    try:
        with first.open("rb") as file:
            head = read_head(file, first)
            content, signature = file.read(head.index), file.read(head.signature)
    except OSError as error:
        raise XgenError(f"{path} cannot be read: {error.strerror}") from None
    if head.number != 1:
        name = path.removesuffix(f".{head.number}")
        raise XgenError(f"{path} is volume {head.number} of a bundle; name the first, {name}")
    if len(content) < head.index or len(signature) < head.signature:
        raise XgenError(f"{path} is only the beginning of a bundle")
    signer = _signer(path, content, signature, trust)
    if hashlib.sha256(content).digest() != head.digest:
        raise XgenError(f"{path} is damaged: its index is not the one that its head names")
    index = read_index(content, path)
    heads = [head, *_others(first, head, index)]
    starts = tuple(h.start for h in heads)
    return Bundle(first, index, digest_of(content), signer, starts, signed=bool(signature))


def _signer(path: str, content: bytes, signature: bytes, trust: Trust | None) -> str | None:
    """Raises XgenError."""
    if trust is None:
        return None
    allowed = Path(trust.signers) if trust.signers is not None else usual_signers()
    if not signature:
        if trust.unsigned:
            return None
        raise XgenError(f"refused: {path} is not signed; `--allow-unsigned` takes it all the same")
    if trust.unsigned and not allowed.is_file():
        return None
    signer = signer_of(content, signature, allowed)
    if signer is None and not trust.unsigned:
        raise XgenError(
            f"refused: the signature of {path} is not by anyone in {allowed}, or the bundle was "
            "changed after it was signed"
        )
    return signer


def _others(first: Path, head: Head, index: Index) -> Iterator[Head]:
    """Of the other volumes; each has to be there, whole. Raises XgenError."""
    for number, size in enumerate(index.volumes, 1):
        path = volume_path(first, number)
        count = len(index.volumes)
        try:
            with path.open("rb") as file:
                own = read_head(file, path)
                length = file.seek(0, 2)
        except FileNotFoundError:
            raise XgenError(
                f"volume {number} of {count} is not there: {path.name} belongs beside {first}"
            ) from None
        except OSError as error:
            raise XgenError(f"{path} cannot be read: {error.strerror}") from None
        if (own.number, own.digest) != (number, head.digest):
            raise XgenError(f"{path} is a volume of another bundle than {first}")
        if own.data != size or length < own.start + size:
            raise XgenError(f"{path} is only a part of its volume: copy it again")
        if number > 1:
            yield own


def _read(stored: Stored, blob: Blob, chunk: int) -> Iterator[bytes]:
    return chunk_of(stored, chunk, blob.size, piece=_PIECE)


def _where(stored: Stored, chunk: int) -> Iterator[Extent]:
    """Where a chunk lies."""
    start = chunk * CHUNK
    for extent in stored.extents:
        first = max(0, start)
        last = min(extent.length, start + CHUNK)
        if first < last:
            yield Extent(extent.path, extent.start + first, last - first)
        start -= extent.length
