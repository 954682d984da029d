"""A file on its way: it grows beside its place, chunk by chunk, with a journal of what is safely on
the disk, and gets its name once its digest is right.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import stat
from typing import Any, Callable, NamedTuple

# What a cut can cost. Chunks are known by SHA-256.
CHUNK = 64 << 20
PIECE = 1 << 20
PART = ".xgen-part"
JOURNAL = ".chunks"
MODE = 0o644


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
    """The digests of a whole file, while its bytes are written in order."""

    def __init__(self, file: File) -> None:
        self._file = file
        self.upto = 0
        self._sha256 = hashlib.sha256()
        self._sha1 = hashlib.sha1(b"blob %d\0" % file.size)  # noqa: S324 - git's name of a blob

    def add(self, offset: int, data: bytes) -> None:
        if offset != self.upto:
            return
        self.upto += len(data)
        if self._file.sha1 is not None and self._file.sha256 is None:
            self._sha1.update(data)
        else:
            self._sha256.update(data)

    def check(self) -> str:
        """The SHA-256, "" where git's name of a blob was checked. Raises Wrong."""
        if self._file.sha1 is not None and self._file.sha256 is None:
            if self._sha1.hexdigest() != self._file.sha1:
                raise Wrong(f"its git blob is {self._sha1.hexdigest()}, not {self._file.sha1}")
            return ""
        digest = self._sha256.hexdigest()
        if self._file.sha256 is not None and digest != self._file.sha256:
            raise Wrong(f"its SHA-256 is {digest}, not {self._file.sha256}")
        return digest


class Part:
    """Holds the lock of its content while it is open. Raises Busy and OSError."""

    def __init__(self, file: File) -> None:
        self.file = file
        folder, name = os.path.split(file.place)
        self.path = os.path.join(folder, f".{name[:80]}.{file.content[:16]}{PART}")
        self._journal_path = self.path + JOURNAL
        self.fd = _locked(self.path)
        self.chunks: dict[int, str] = {}
        self.etag: str | None = None
        self.written: Callable[[int], None] = lambda _: None
        self._digests = Digests(file)
        self._journal = self._resume()

    def missing(self) -> list[int]:
        return [k for k in range(self.file.chunk_count) if k not in self.chunks]

    def write(self, chunk: int, data: Callable[[int], bytes]) -> None:
        """One chunk: `data` gives at most so many bytes, b"" never. It counts once it is on the
        disk and its digest, where that is known, is right. Raises Wrong, OSError and what `data`
        raises.
        """
        digest, offset, left = hashlib.sha256(), chunk * CHUNK, self.file.length(chunk)
        while left:
            piece = data(min(left, PIECE))
            digest.update(piece)
            self._digests.add(offset, piece)
            _write_at(self.fd, piece, offset)
            offset += len(piece)
            left -= len(piece)
        known = self.file.chunks
        if known is not None and digest.hexdigest() != known[chunk]:
            self._digests = Digests(self.file)
            raise Wrong(f"chunk {chunk} is damaged", chunk)
        os.fdatasync(self.fd)
        self.chunks[chunk] = digest.hexdigest()
        self._note({"chunk": chunk, "sha256": digest.hexdigest()})
        self.written(chunk)

    def forget(self, chunks: list[int] | None = None) -> None:
        """They are to come once more; all of them unless stated."""
        for chunk in list(self.chunks) if chunks is None else chunks:
            self.chunks.pop(chunk, None)
        self._digests = Digests(self.file)
        os.close(self._journal)
        self._journal = self._new_journal()

    def comes_from(self, etag: str | None) -> None:
        """The version of what the source gives, so that no two are spliced."""
        if etag != self.etag:
            self.etag = etag
            self._note({"etag": etag})

    def finish(self) -> str:
        """Checks the whole and gives it its name; its SHA-256, "" where it is known by another
        digest. Raises Wrong."""
        digests = self._digests
        if digests.upto != self.file.size:
            digests = digests_of(self.fd, self.file)
        digest = digests.check()
        os.fchmod(self.fd, MODE)
        os.fsync(self.fd)
        os.replace(self.path, self.file.place)
        self.close()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._journal_path)
        sync_folder(os.path.dirname(self.file.place))
        return digest

    def close(self) -> None:
        """Lets go of the lock; what is there stays for the next try."""
        if self.fd >= 0:
            os.close(self.fd)
            os.close(self._journal)
            self.fd = -1

    def _resume(self) -> int:
        """The journal, open at its end; its last line may have been cut short."""
        lines = _read_lines(self._journal_path)
        if lines[:1] == [self._head()]:
            for line in lines[1:]:
                self._recall(line)
        return self._new_journal()

    def _recall(self, line: dict[str, Any]) -> None:
        self.etag = line.get("etag", self.etag)
        chunk, digest = line.get("chunk"), line.get("sha256")
        if not isinstance(chunk, int) or not isinstance(digest, str):
            return
        known = self.file.chunks
        if 0 <= chunk < self.file.chunk_count and (known is None or known[chunk] == digest):
            self.chunks[chunk] = digest

    def _new_journal(self) -> int:
        lines: list[dict[str, Any]] = [self._head(), {"etag": self.etag}]
        lines += [{"chunk": chunk, "sha256": digest} for chunk, digest in self.chunks.items()]
        draft = f"{self._journal_path}.draft"
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC
        journal = os.open(draft, flags | os.O_NOFOLLOW, 0o600)
        _write_all(journal, "".join(json.dumps(line) + "\n" for line in lines).encode())
        os.fdatasync(journal)
        os.replace(draft, self._journal_path)
        return journal

    def _head(self) -> dict[str, Any]:
        return {"content": self.file.content, "size": self.file.size}

    def _note(self, line: dict[str, Any]) -> None:
        _write_all(self._journal, json.dumps(line).encode() + b"\n")
        os.fdatasync(self._journal)


def is_there(file: File) -> bool:
    """Whether the file is in its place already, every byte of it."""
    try:
        fd = os.open(file.place, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        return False
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode) or status.st_size != file.size:
            return False
        digests_of(fd, file).check()
    except Wrong:
        return False
    finally:
        os.close(fd)
    return True


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


def drop_pages(fd: int, offset: int, length: int) -> None:
    """What is served from memory meanwhile is to stay there."""
    with contextlib.suppress(OSError):
        os.posix_fadvise(fd, offset, length, os.POSIX_FADV_DONTNEED)


def sync_folder(path: str) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


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


def _read_lines(path: str) -> list[dict[str, Any]]:
    """Up to the first that was cut short."""
    lines = []
    with contextlib.suppress(OSError, ValueError), open(path, encoding="utf-8") as journal:
        for line in journal:
            value = json.loads(line)
            if not isinstance(value, dict) or not line.endswith("\n"):
                break
            lines.append(value)
    return lines


def _write_at(fd: int, data: bytes, offset: int) -> None:
    rest = memoryview(data)
    while rest:
        written = os.pwrite(fd, rest, offset)
        rest, offset = rest[written:], offset + written


def _write_all(fd: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(fd, rest) :]
