"""A GGUF in another type, made on this host by llama.cpp's quantizer: beside its place, without
rights, loaded by an engine where there is one, and only then given its name, with a note of what it
was made of (probe/remote/quantized.py).
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import glob
import hashlib
import os
import shutil
import stat
import subprocess
import tempfile
import time
from typing import Any, Callable, Iterator

from xgen_deploy.transfer.remote import trial
from xgen_deploy.transfer.remote.brought import is_noted, note_brought
from xgen_deploy.transfer.remote.gguf_type import NotGGUF, file_type
from xgen_deploy.transfer.remote.journal import sync_folder
from xgen_deploy.transfer.remote.part import CHUNK, MODE, PIECE, File, drop_pages

DRAFT = ".draft"
ENGINE = "llama-server"
LOOK = 0.5
# No byte for so long: it hangs.
STALLED = 1800.0
# A disk that others use reads so many bytes a second at least.
SLOW = 10 << 20
Tell = Callable[..., None]


class NotMade(Exception):
    """The text says why."""


def make(request: dict[str, Any], root: str, origin: str, tell: Tell) -> None:
    """`request` as Quantize in state/transfer.py. Raises NotMade and OSError."""
    place = request["place"]
    folder = os.path.dirname(place)
    os.makedirs(folder, exist_ok=True)
    for each in glob.glob(os.path.join(glob.escape(os.path.dirname(folder)), "*")):
        with contextlib.suppress(OSError), _locked(each, fcntl.LOCK_EX | fcntl.LOCK_NB):
            _remove_drafts(each)
    with _locked(folder):
        if os.path.exists(place) and is_noted(root, File(place, os.stat(place).st_size)):
            return
        _remove_drafts(folder)
        _check(request["sha256"], tell)
        _need_room(folder, request["size"])
        draft = os.path.join(folder, f".{os.path.basename(place)[:100]}{DRAFT}")
        os.mkdir(draft, 0o700)
        try:
            if os.geteuid() == 0 and not request["as_login"]:
                os.chown(draft, trial.NOBODY, trial.NOBODY)
            made = os.path.join(draft, "model.gguf")
            _quantize(request, made, tell)
            _prove(request, made, tell)
            _place(request, made, root, origin)
        finally:
            shutil.rmtree(draft, ignore_errors=True)


def _remove_drafts(folder: str) -> None:
    """What was cut left them: who makes one has the lock."""
    for stale in glob.glob(os.path.join(glob.escape(folder), f".*{DRAFT}")):
        shutil.rmtree(stale, ignore_errors=True)


def _quantize(request: dict[str, Any], made: str, tell: Tell) -> None:
    argv = [request["program"]]
    if request["requantizes"]:
        argv.append("--allow-requantize")
    if request["slab"]:
        argv += ["--max-buffer-size", str(request["slab"])]
    argv += [request["source"], made, request["file_type"], str(request["threads"])]
    name = os.path.basename(request["program"])
    with tempfile.TemporaryDirectory(prefix="xgen-") as place:
        log = os.path.join(place, "log")
        with trial.started(argv, log, request["as_login"]) as process:
            try:
                _wait(process, made, tell)
            finally:
                trial.end(process)
        if process.returncode != 0:
            _need_room(os.path.dirname(request["place"]), max(0, request["size"] - _size(made)))
            raise NotMade(f"{name} fails: {_why(process.returncode, log)}")


def _why(code: int, log: str) -> str:
    """llama-quantize's last line tells only that it failed; what comes before, often behind the
    tensor that it was at, why."""
    return trial.reason(code, log, but="failed to quantize model").rpartition("to quantize: ")[2]


def _wait(process: subprocess.Popen[bytes], made: str, tell: Tell) -> None:
    seen, grew = 0, time.monotonic()
    while process.poll() is None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(LOOK)
        size = _size(made)
        if size > seen:
            tell("bytes", file=None, count=size - seen)
            seen, grew = size, time.monotonic()
        elif time.monotonic() - grew > STALLED:
            raise NotMade(f"nothing was written for {STALLED / 60:.0f} minutes")


def _prove(request: dict[str, Any], made: str, tell: Tell) -> None:
    """Its header, and that an engine loads it, with every number looked at."""
    status = os.lstat(made)
    if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1:
        raise NotMade("what the quantizer left is no file")
    try:
        kind = file_type(made)
    except NotGGUF as error:
        raise NotMade(f"what the quantizer made cannot be used: {error}") from None
    if kind != request["number"]:
        raise NotMade(f"what the quantizer made is of the file type {kind}")
    beside = os.path.join(os.path.dirname(os.path.realpath(request["program"])), ENGINE)
    engine = request["engine"] or (beside if os.access(beside, os.X_OK) else None)
    if engine is None:
        return
    tell("note", text="loaded to see that it is whole")
    patience = trial.PATIENCE + status.st_size / SLOW
    with tempfile.TemporaryDirectory(prefix="xgen-") as place:
        log = os.path.join(place, "log")
        try:
            trial.loads(engine, made, log, as_login=request["as_login"], patience=patience)
        except trial.Failed as error:
            raise NotMade(f"what the quantizer made cannot be used: {error}") from None


def _place(request: dict[str, Any], made: str, root: str, origin: str) -> None:
    place = request["place"]
    fd = os.open(made, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        os.fchown(fd, os.geteuid(), os.getegid())
        os.fchmod(fd, MODE)
        os.fsync(fd)
        digest, chunks = _digests(fd)
        os.rename(made, place)
        sync_folder(os.path.dirname(place))
        size = os.fstat(fd).st_size
    finally:
        os.close(fd)
    note_brought(root, File(place, size, digest), digest, chunks, origin, more=request["note"])


def _check(known: dict[str, str], tell: Tell) -> None:
    """That the source is what it has to be, where nobody has noted that. Raises NotMade."""
    for path, sha256 in known.items():
        tell("note", text=f"{os.path.basename(path)} is read to check its SHA-256")
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            digest = _digests(fd)[0]
        finally:
            os.close(fd)
        if digest != sha256:
            raise NotMade(f"the SHA-256 of {path} is {digest}, and {sha256} was asked for")


def _digests(fd: int) -> tuple[str, list[str]]:
    """The SHA-256, and that of each chunk."""
    whole, chunks, offset, size = hashlib.sha256(), [], 0, os.fstat(fd).st_size
    while offset < size:
        chunk, end = hashlib.sha256(), min(size, offset + CHUNK)
        while offset < end:
            data = os.pread(fd, min(PIECE, end - offset), offset)
            if not data:
                raise OSError(errno.EIO, "it got shorter meanwhile")
            whole.update(data)
            chunk.update(data)
            drop_pages(fd, offset, len(data))
            offset += len(data)
        chunks.append(chunk.hexdigest())
    return whole.hexdigest(), chunks


def _need_room(folder: str, size: int) -> None:
    disk = os.statvfs(folder)
    free = disk.f_bavail * disk.f_frsize
    if disk.f_blocks and size > free:
        text = f"the disk has {free / 2**20:.1f} MiB free, about {size / 2**20:.1f} MiB are needed"
        raise OSError(errno.ENOSPC, text, folder)


def _size(path: str) -> int:
    with contextlib.suppress(OSError):
        return os.lstat(path).st_size
    return 0


@contextlib.contextmanager
def _locked(folder: str, how: int = fcntl.LOCK_EX) -> Iterator[None]:
    """Of several that make the same one does, and the others find it. Raises OSError where `how`
    does not wait."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, how)
        yield
    finally:
        os.close(fd)
