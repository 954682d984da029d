"""A file on its way: it grows beside its place, chunk by chunk, with a journal of what is safely on
the disk, and gets its name once its digest is right.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import re
import stat
from typing import Any, Callable, NamedTuple

from xgen_deploy.transfer.remote.journal import Journal, sync_folder

# What a cut can cost. Chunks are known by SHA-256.
CHUNK = 16 << 20
PIECE = 1 << 20
# What is taken from a connection at a time: for more, the kernel is asked for memory each time.
TAKEN = 1 << 17
PART = ".xgen-part"
JOURNAL = ".chunks"
MODE = 0o644
_SHA256 = re.compile("[0-9a-f]{64}")


class File(NamedTuple):
    """Where a file is to lie, and what it must be. Without `sha256` and `sha1` (git's name of a
    blob) its length alone is checked. `chunks` are its chunks' digests where they are known."""

    place: str
    size: int
    sha256: str | None = None
    sha1: str | None = None
    chunks: list[str] | None = None
    url: str | None = None

    @property
    def content(self) -> str:
        """What its content is known by."""
        return self.sha256 or self.sha1 or hashlib.sha256((self.url or "").encode()).hexdigest()

    @property
    def known(self) -> bool:
        """Whether a digest tells what it must be."""
        return bool(self.sha256 or self.sha1)

    def length(self, chunk: int) -> int:
        return min(CHUNK, self.size - chunk * CHUNK)

    @property
    def chunk_count(self) -> int:
        return -(-self.size // CHUNK)


class Wrong(Exception):
    """What came is not what was asked for; `chunk` None: the whole file."""

    def __init__(self, text: str, chunk: int | None = None) -> None:
        super().__init__(text)
        self.chunk = chunk


class Busy(Exception):
    """Another transfer is bringing the same content."""


class Digests:
    """The digests of a whole file, while its bytes come in order."""

    def __init__(self, file: File) -> None:
        self._file = file
        self.upto = 0
        self._by_git = file.sha1 is not None and file.sha256 is None
        start = b"blob %d\0" % file.size
        self._digest = hashlib.sha1(start) if self._by_git else hashlib.sha256()  # noqa: S324

    def add(self, offset: int, data: bytes) -> None:
        if offset == self.upto:
            self.upto += len(data)
            self._digest.update(data)

    def copy(self) -> Digests:
        twin = Digests(self._file)
        twin.upto, twin._digest = self.upto, self._digest.copy()
        return twin

    def check(self) -> str:
        """The SHA-256, "" where git's name of a blob was checked. Raises Wrong."""
        digest = self._digest.hexdigest()
        if self._by_git:
            if digest != self._file.sha1:
                raise Wrong(f"its git blob is {digest}, not {self._file.sha1}")
            return ""
        if self._file.sha256 is not None and digest != self._file.sha256:
            raise Wrong(f"its SHA-256 is {digest}, not {self._file.sha256}")
        return digest


class Part:
    """Holds the lock of its content while it is open. Raises Busy and OSError."""

    def __init__(self, file: File) -> None:
        self.file = file
        self.path = part_path(file)
        self.chunks: dict[int, str] = {}
        self.etag: str | None = None
        self.written: Callable[[int], None] = lambda _: None
        self._digests = Digests(file)
        self._named = False
        self.fd = _locked(self.path)
        try:
            self._journal = journal_of(file)
            for line in self._journal.lines:
                self._recall(line)
            self._begin_journal()
        except OSError:
            os.close(self.fd)
            raise

    def missing(self) -> list[int]:
        return [k for k in range(self.file.chunk_count) if k not in self.chunks]

    def write(self, chunk: int, data: Callable[[int], bytes], known: str | None = None) -> None:
        """One chunk: `data` gives at most so many bytes, b"" never. It counts once it is on the
        disk and its digest, where that is `known`, is right. Raises Wrong, OSError and what `data`
        raises.
        """
        known = self.file.chunks[chunk] if self.file.chunks is not None else known
        digest, digests = hashlib.sha256(), self._digests.copy()
        offset, left = chunk * CHUNK, self.file.length(chunk)
        while left:
            piece = data(min(left, TAKEN))
            digest.update(piece)
            digests.add(offset, piece)
            _write_at(self.fd, piece, offset)
            offset += len(piece)
            left -= len(piece)
        if known is not None and digest.hexdigest() != known:
            raise Wrong(f"chunk {chunk} is damaged", chunk)
        os.fdatasync(self.fd)
        self._digests = digests
        self.chunks[chunk] = digest.hexdigest()
        self._journal.add({"chunk": chunk, "sha256": digest.hexdigest()})
        self.written(chunk)

    def forget(self, chunks: list[int] | None = None) -> None:
        """They are to come once more; all of them unless stated."""
        for chunk in list(self.chunks) if chunks is None else chunks:
            self.chunks.pop(chunk, None)
        self._digests = Digests(self.file)
        self._begin_journal()

    def comes_from(self, etag: str | None) -> None:
        """The version of what the source gives, so that no two are spliced."""
        if etag != self.etag:
            self.etag = etag
            self._journal.add({"etag": etag})

    def finish(self) -> str:
        """Checks the whole and gives it its name; its SHA-256, "" where it is known by another
        digest. What tells of its chunks stays until `end`. Raises Wrong."""
        digests, chunks = self._digests, self.chunks
        if digests.upto != self.file.size:
            digests, read = read_back(self.fd, self.file)
            chunks = dict(enumerate(read))
        digest = digests.check()
        if not self.file.known and chunks != self.chunks:
            raise Wrong("it does not read as it was written")
        self.chunks = chunks
        os.fchmod(self.fd, MODE)
        os.fsync(self.fd)
        os.replace(self.path, self.file.place)
        self._named = True
        sync_folder(os.path.dirname(self.file.place))
        drop_pages(self.fd, 0, 0)
        return digest

    def end(self) -> None:
        """The file has its name, or is not wanted any more."""
        if not self._named:
            os.unlink(self.path)
        self._journal.remove()
        self.close()

    def close(self) -> None:
        """Lets go of the lock; what is there stays for the next try."""
        if self.fd >= 0:
            os.close(self.fd)
            self._journal.close()
            self.fd = -1

    def _recall(self, line: dict[str, Any]) -> None:
        self.etag = line.get("etag", self.etag)
        chunk, digest = line.get("chunk"), line.get("sha256")
        if not isinstance(chunk, int) or not isinstance(digest, str) or not is_digest(digest):
            return
        known = self.file.chunks
        if 0 <= chunk < self.file.chunk_count and (known is None or known[chunk] == digest):
            self.chunks[chunk] = digest

    def _begin_journal(self) -> None:
        lines: list[dict[str, Any]] = [{"etag": self.etag}]
        lines += [{"chunk": chunk, "sha256": digest} for chunk, digest in self.chunks.items()]
        self._journal.begin(lines)


def part_path(file: File) -> str:
    """Hidden, in the folder where the file is to lie; a name has at most 255 bytes."""
    folder, name = os.path.split(file.place)
    short = os.fsencode(name)[:80].decode(errors="ignore")
    return os.path.join(folder, f".{short}.{file.content[:16]}{PART}")


def journal_of(file: File) -> Journal:
    head = {"content": file.content, "size": file.size}
    return Journal(part_path(file) + JOURNAL, head)


def digest_in_place(file: File) -> str | None:
    """As `check` gives it, of the file that has its name already; None where it is not all
    right."""
    try:
        fd = os.open(file.place, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode) or status.st_size != file.size:
            return None
        return digests_of(fd, file).check()
    except Wrong:
        return None
    finally:
        os.close(fd)


def chunks_in_place(file: File) -> list[str]:
    """Of the file that has its name and is right. Raises OSError."""
    fd = os.open(file.place, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        return read_back(fd, file)[1]
    finally:
        os.close(fd)


def digests_of(fd: int, file: File) -> Digests:
    digests, offset = Digests(file), 0
    while offset < file.size:
        data = os.pread(fd, PIECE, offset)
        if not data:
            break
        digests.add(offset, data)
        drop_pages(fd, offset, len(data))
        offset += len(data)
    return digests


def read_back(
    fd: int, file: File, came: Callable[[int], None] = lambda _: None
) -> tuple[Digests, list[str]]:
    """The digests of the whole and of each chunk; `came` hears how long each is."""
    whole, chunks = Digests(file), []
    for chunk in range(file.chunk_count):
        digest, at = hashlib.sha256(), chunk * CHUNK
        end = at + file.length(chunk)
        while at < end:
            data = os.pread(fd, min(PIECE, end - at), at)
            if not data:
                break
            whole.add(at, data)
            digest.update(data)
            drop_pages(fd, at, len(data))
            at += len(data)
        chunks.append(digest.hexdigest())
        came(file.length(chunk))
    return whole, chunks


def is_digest(text: str) -> bool:
    """Whether it can be a SHA-256."""
    return _SHA256.fullmatch(text) is not None


def drop_pages(fd: int, offset: int, length: int) -> None:
    """What is served from memory meanwhile is to stay there."""
    with contextlib.suppress(OSError):
        os.posix_fadvise(fd, offset, length, os.POSIX_FADV_DONTNEED)


def _locked(path: str) -> int:
    """A lock on what still has this name, for the one who had it may just have renamed it."""
    while True:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(fd)
            if error.errno in (errno.EAGAIN, errno.EACCES):
                raise Busy(path) from None
            raise
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(fd), os.stat(path)):
                return fd
        os.close(fd)


def _write_at(fd: int, data: bytes, offset: int) -> None:
    rest = memoryview(data)
    while rest:
        written = os.pwrite(fd, rest, offset)
        rest, offset = rest[written:], offset + written
