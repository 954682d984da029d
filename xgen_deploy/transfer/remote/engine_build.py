"""An engine build out of an archive: unpacked beside its place, tried out, and only then given its
name, with a list of its files. What is there is known by the archive that it came out of
(probe/remote/build_state.py).
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import stat
from typing import Any, Callable

from xgen_deploy.transfer.remote import trial
from xgen_deploy.transfer.remote.journal import sync_folder
from xgen_deploy.transfer.remote.tiny_gguf import tiny_gguf
from xgen_deploy.transfer.remote.unpack import BadArchive, programs, unpack

LIST = ".json"
TRIAL = ".trial"


class Unusable(Exception):
    """The build cannot be used on this host; the text says why."""


def place_build(request: dict[str, Any], tell: Callable[..., None]) -> None:
    """`request` as Unpack in state/transfer.py. Raises Unusable and OSError."""
    folder, program = request["folder"], request["program"]
    draft, name = folder + ".draft", os.path.basename(request["archive"])
    with _locked(folder + ".lock"):
        if os.path.exists(os.path.join(folder, program)):
            return
        for stale in (draft, draft + TRIAL, folder):
            shutil.rmtree(stale, ignore_errors=True)
        try:
            tell("note", text="unpacked and tried out there")
            unpack(request["archive"], draft)
            _try_out(draft, request)
        except BadArchive as error:
            shutil.rmtree(draft, ignore_errors=True)
            raise Unusable(f"{name} cannot be used: {error}") from None
        except trial.Failed as error:
            shutil.rmtree(draft, ignore_errors=True)
            raise Unusable(f"{program} of {name} does not run here: {error}") from None
        except OSError:  # such as a full disk
            shutil.rmtree(draft, ignore_errors=True)
            raise
        _write(folder + LIST, {"archive": request["sha256"], "files": _files(draft)})
        os.rename(draft, folder)
        sync_folder(os.path.dirname(folder))


def _try_out(folder: str, request: dict[str, Any]) -> None:
    """Raises BadArchive and trial.Failed."""
    program, as_login = request["program"], request["as_login"]
    path = os.path.join(folder, program)
    if not os.path.isfile(path):
        others = ", ".join(programs(folder)) or "none"
        raise BadArchive(f"it has no {program}; its programs are {others}")
    place = folder + TRIAL  # not a temporary folder: what a cut leaves is found by the next one
    os.mkdir(place, 0o755)
    try:
        log = os.path.join(place, "log")
        trial.version(path, log, as_login=as_login)
        if request["serves_gguf"]:
            model = os.path.join(place, "trial.gguf")
            with open(model, "wb") as file:
                file.write(tiny_gguf())
            os.chmod(model, 0o644)
            trial.serves(path, model, log, as_login=as_login)
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _files(folder: str) -> dict[str, list[int]]:
    """Size, time in ns and inode of every file, by its path beneath the folder."""
    files = {}
    for place, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(place, name)
            status = os.lstat(path)
            if stat.S_ISREG(status.st_mode):
                known = [status.st_size, status.st_mtime_ns, status.st_ino]
                files[os.path.relpath(path, folder)] = known
    return files


@contextlib.contextmanager
def _locked(path: str) -> Any:
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def _write(path: str, value: object) -> None:
    draft = f"{path}.draft"
    with open(draft, "w", encoding="utf-8") as file:
        json.dump(value, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(draft, path)
