"""A transfer that ends at its first step, one that ends at its second, and so on; each is followed
by one that nothing befalls.

python -m tests.transfer.stepwise killed|full CHUNK < REQUESTS
"""

from __future__ import annotations

import errno
import json
import mmap
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from xgen_deploy.transfer.remote import download, gentle, part, repair, transfer

# What changes something on a disk.
_STEPS = (
    "open", "write", "pwrite", "fdatasync", "fsync", "fchmod", "mkdir", "replace", "symlink",
    "unlink",
)  # fmt: skip


def _killed() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _full() -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def main() -> None:
    """A line for each request: whether its file was half there in between, and what was told."""
    fault = {"killed": _killed, "full": _full}[sys.argv[1]]
    for module in (download, part, repair, transfer):
        setattr(module, "CHUNK", int(sys.argv[2]))  # noqa: B010
    setattr(gentle, "be_gentle", lambda: None)  # noqa: B010
    for at, line in enumerate(sys.stdin.buffer.readlines(), 1):
        befallen = mmap.mmap(-1, 1)
        first = _run(line, lambda: _let_fail(at, fault, befallen))  # noqa: B023
        if befallen[:1] == b"\0":
            break
        told = {"half": _is_half(line), "first": first, "second": _run(line, lambda: None)}
        sys.stdout.write(json.dumps(told) + "\n")


def _is_half(request: bytes) -> bool:
    """Whether the file has its name, and not all of its bytes."""
    file = json.loads(request)["files"][0]
    place = Path(file["place"])
    return place.exists() and place.stat().st_size != file["size"]


def _run(request: bytes, prepare: Callable[[], None]) -> list[str]:
    """The events of a transfer in a process of its own."""
    far_in, here_in = os.pipe()
    here_out, far_out = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.dup2(far_in, 0)
        os.dup2(far_out, 1)
        os.close(here_out)
        sys.stdin = open(0, closefd=False)  # noqa: SIM115
        prepare()
        transfer.main()
    os.close(far_in)
    os.close(far_out)
    os.write(here_in, request)
    with os.fdopen(here_out, "rb") as told:
        lines = told.read().splitlines()
    os.waitpid(pid, 0)
    os.close(here_in)
    return [json.loads(line)["event"] for line in lines if line.startswith(b"{")]


def _let_fail(at: int, fault: Callable[[], None], befallen: mmap.mmap) -> None:
    left = [at]
    for name in _STEPS:
        _count(name, left, fault, befallen)


def _count(name: str, left: list[int], fault: Callable[[], None], befallen: mmap.mmap) -> None:
    real = getattr(os, name)

    def step(place: object, *more: object, **named: object) -> object:
        if place != 1:  # what it tells
            left[0] -= 1
            if left[0] == 0:
                befallen[:1] = b"\1"
                fault()
        return real(place, *more, **named)

    setattr(os, name, step)


if __name__ == "__main__":
    main()
