"""One control group a host, in every hierarchy this machine has.

Two hosts whose systemd saw the same group would manage each other's services. The group
also names every process of a host, so that stopping one leaves nothing behind.
"""

from __future__ import annotations

import os
import signal
from functools import partial
from pathlib import Path

from tests.lab import places
from tests.lab.process import wait_until

_ROOT = Path("/sys/fs/cgroup")


def create(name: str) -> list[Path]:
    """The host's groups, ready to take processes."""
    groups = []
    for hierarchy in _hierarchies():
        group = hierarchy
        for part in (parent(), name):
            group = group / part
            group.mkdir(exist_ok=True)
            # Version 1 refuses processes in a cpuset that names no processors.
            for setting in ("cpuset.cpus", "cpuset.mems"):
                if (hierarchy / "cgroup.controllers").exists() or not (group / setting).exists():
                    continue
                (group / setting).write_text((group.parent / setting).read_text())
        groups.append(group)
    return groups


def members(name: str) -> list[int]:
    """Every process of the host, by any hierarchy's account."""
    found: set[int] = set()
    for group in _groups(name):
        # Groups come and go while one looks: os.walk passes over what has gone.
        for directory, _, _ in os.walk(group):
            try:
                listing = Path(directory, "cgroup.procs").read_text()
            except OSError:
                continue
            found.update(int(line) for line in listing.split() if line != "0")
    return sorted(found)


def end(name: str) -> None:
    """End the host's processes and remove its groups."""

    def gone() -> bool:
        for pid in members(name):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        return not members(name)

    wait_until(gone, f"the end of {name}'s processes", 60)
    for group in _groups(name):
        wait_until(partial(_removed, group), f"the removal of {group}", 60)


def end_all() -> None:
    """Remove what holds the hosts' groups; there are none any more."""
    for hierarchy in _hierarchies():
        if (group := hierarchy / parent()).is_dir():
            wait_until(partial(_removed, group), f"the removal of {group}", 60)


def parent() -> Path:
    return Path(f"xgen-lab-{places.number()}")


def _removed(group: Path) -> bool:
    for directory, _, _ in os.walk(group, topdown=False):
        try:
            Path(directory).rmdir()
        except OSError:
            return False
    return True


def _hierarchies() -> list[Path]:
    if (_ROOT / "cgroup.controllers").exists():
        return [_ROOT]
    return [d for d in sorted(_ROOT.iterdir()) if not d.is_symlink() and os.path.ismount(d)]


def _groups(name: str) -> list[Path]:
    groups = (hierarchy / parent() / name for hierarchy in _hierarchies())
    return [group for group in groups if group.is_dir()]
