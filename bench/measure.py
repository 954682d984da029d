"""What a command costs: time, processor time on both sides, memory."""

import ctypes
import os
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from time import monotonic

from tests.lab import cgroups

_SUBREAPER = 36
_TICK = os.sysconf("SC_CLK_TCK")
_SAMPLE_SECONDS = 0.1


@dataclass(frozen=True)
class Cost:
    """Seconds. `here` and `there` are processor time of the command with all that it started, and
    of the hosts. `memory` is the largest sum of proportional set sizes in bytes, 0 if not asked."""

    wall: float
    here: float
    there: float
    memory: int
    status: int
    output: str


class HostClock:
    """Processor time of a lab host, from its control group."""

    def __init__(self, name: str) -> None:
        all_groups, group = Path("/sys/fs/cgroup"), cgroups.parent() / name
        first = all_groups / "cpuacct" / group / "cpuacct.usage"
        self._file = first if first.exists() else all_groups / group / "cpu.stat"

    def seconds(self) -> float:
        words = self._file.read_text().split()
        return int(words[0]) / 1e9 if len(words) == 1 else int(words[1]) / 1e6


def adopt_orphans() -> None:
    """From now on what a command leaves running (a kept SSH connection) stays ours to count."""
    ctypes.CDLL(None).prctl(_SUBREAPER, 1)


def measure(
    argv: Sequence[str],
    env: Mapping[str, str],
    clock: HostClock,
    *,
    memory: bool = False,
    keep: bool = False,
) -> Cost:
    """Run a command to its end. Taking `memory` samples costs time: not both in one run. What it
    leaves running is ended, unless `keep`: then it is the next run's too."""
    others = descendants()
    here, there = _spent(others), clock.seconds()
    began = monotonic()
    with TemporaryFile() as output:
        process = subprocess.Popen(
            argv, env={**os.environ, **env}, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
        largest = _Largest(frozenset() if keep else frozenset(others)) if memory else None
        _, status, used = os.wait4(process.pid, 0)
        wall = monotonic() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        left = _spent(descendants()) - here
        output.seek(0)
        text = output.read().decode(errors="replace")
    if not keep:
        end([pid for pid in descendants() if pid not in others])
    return Cost(
        wall=wall,
        here=used.ru_utime + used.ru_stime + left,
        there=clock.seconds() - there,
        memory=largest.stop() if largest else 0,
        status=process.returncode,
        output=text,
    )


def descendants() -> list[int]:
    return _tree(os.getpid())


def end(pids: Sequence[int]) -> None:
    """End processes of ours."""
    for pid in pids:
        os.kill(pid, signal.SIGTERM)
    for pid in pids:
        os.waitpid(pid, 0)


class _Largest(threading.Thread):
    """Samples the memory of our descendants, all but `others`."""

    def __init__(self, others: frozenset[int]) -> None:
        super().__init__(daemon=True)
        self._others = others
        self._bytes = 0
        self._end = threading.Event()
        self.start()

    def run(self) -> None:
        while not self._end.wait(_SAMPLE_SECONDS):
            counted = [pid for pid in descendants() if pid not in self._others]
            self._bytes = max(self._bytes, sum(map(_proportional, counted)))

    def stop(self) -> int:
        self._end.set()
        self.join()
        return self._bytes


def _tree(root: int) -> list[int]:
    """The descendants of a process."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            fields = _stat(int(entry.name))
            if fields:
                children.setdefault(int(fields[1]), []).append(int(entry.name))
    found, todo = [], [root]
    while todo:
        below = children.get(todo.pop(), [])
        found += below
        todo += below
    return found


def _spent(pids: Sequence[int]) -> float:
    """Processor seconds of living processes, without their children."""
    fields = filter(None, map(_stat, pids))
    return sum(int(one[11]) + int(one[12]) for one in fields) / _TICK


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat after the name; none where the process is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _proportional(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    sizes = [int(line.split()[1]) for line in lines if line.startswith("Pss:")]
    return sum(sizes) * 1024
