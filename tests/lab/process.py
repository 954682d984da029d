"""Running commands and telling processes apart."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path


class LabError(Exception):
    """The lab could not be had, with the reason in words."""


def run(
    argv: Sequence[str],
    *,
    check: bool = True,
    stdin: str | None = None,
    timeout: float = 900,
    env: dict[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a command; a failure carries what the command said."""
    try:
        done = subprocess.run(
            list(argv),
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            env=env,
            check=False,
        )
    except FileNotFoundError as error:
        raise LabError(f"{argv[0]} is not installed") from error
    except subprocess.TimeoutExpired as error:
        raise LabError(f"no end after {timeout:g} s: {' '.join(argv)}") from error
    if check and done.returncode != 0:
        said = f"{done.stdout[-1000:]}{done.stderr[-2000:]}".strip()
        raise LabError(f"{' '.join(argv)}: exit {done.returncode}\n{said}")
    return done


def wait_until(condition: Callable[[], bool], what: str, timeout: float) -> None:
    """Poll a condition; fixed sleeps are either too long or too short."""
    end = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > end:
            raise LabError(f"waited {timeout:g} s for {what}")
        time.sleep(0.1)


def alive(pid: int) -> bool:
    """A zombie is dead: its parent may be a test run that has not collected it yet."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in {"Z", "X"}


def namespace_init(candidates: Sequence[int]) -> int | None:
    """The process among these that is PID 1 of a PID namespace directly below ours."""
    depth = len(_namespace_pids(os.getpid())) + 1
    for pid in candidates:
        numbers = _namespace_pids(pid)
        if len(numbers) == depth and numbers[-1] == "1":
            return pid
    return None


def _namespace_pids(pid: int) -> list[str]:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return []
    for line in status.splitlines():
        if line.startswith("NSpid:"):
            return line.split()[1:]
    return []
