"""A transfer takes what nobody else needs: of the processor, the disk and the memory."""

from __future__ import annotations

import ctypes
import mmap
import os
import platform
import subprocess
from pathlib import Path

import pytest

from tests.transfer.rig import Rig, Running

_IOPRIO_GET = {"x86_64": 252, "aarch64": 31}
_IDLE_CLASS = 3


def test_processor_and_disk_are_for_others_first(rig: Rig) -> None:
    running = Running.start(rig.request(route="receive"))
    running.next("need")
    pid = running.process.pid
    tasks = [int(task.name) for task in Path(f"/proc/{pid}/task").iterdir()]
    assert len(tasks) > 1
    for task in tasks:
        assert os.sched_getscheduler(task) == os.SCHED_IDLE
        assert os.getpriority(os.PRIO_PROCESS, task) == 19
        number = _IOPRIO_GET.get(platform.machine())
        if number is not None:
            assert ctypes.CDLL(None).syscall(number, 1, task) >> 13 == _IDLE_CLASS
    running.end()


def test_what_came_leaves_the_memory_to_what_is_served_from_it(rig: Rig) -> None:
    """Also when the file is looked at again, and by the host that hands it on."""
    if (
        "tmpfs"
        in subprocess.run(
            ["stat", "-f", "-c", "%T", str(rig.folder)], capture_output=True, text=True, check=True
        ).stdout
    ):
        pytest.skip("optional: the files of tests are in memory here")
    hops = [rig.hop("a"), rig.hop("b")]
    for _ in range(2):
        assert rig.bring(hops) == {"a": None, "b": None}
        assert (_cached(rig.place("a")), _cached(rig.place("b"))) == (0, 0)


def _cached(path: Path) -> int:
    """Pages of a file in memory."""
    with path.open("r+b") as file, mmap.mmap(file.fileno(), 0) as mapped:
        count = -(-len(mapped) // mmap.PAGESIZE)
        pages = (ctypes.c_ubyte * count)()
        address = ctypes.addressof(ctypes.c_char.from_buffer(mapped))
        libc = ctypes.CDLL(None, use_errno=True)
        assert libc.mincore(ctypes.c_void_p(address), ctypes.c_size_t(len(mapped)), pages) == 0
        return sum(page & 1 for page in pages)
