"""Run a reading command with a deadline, a bare environment and nothing on its input."""

from __future__ import annotations

import glob
import os
import selectors
import signal
import subprocess
import sys
import time
from typing import Any, Callable, NamedTuple, Sequence

from xgen_deploy.probe.remote.reading import read_text

NOBODY = 65534
MOST = 8 << 20
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Answer(NamedTuple):
    """A command's end. `problem` is why it did not end by itself, else None."""

    code: int
    out: str
    err: str
    problem: str | None

    @property
    def complaint(self) -> str:
        """One line that says what went wrong."""
        if self.problem:
            return self.problem
        lines = (self.err.strip() or self.out.strip()).splitlines()
        return lines[-1].strip()[:300] if lines else f"exit status {self.code}"


def which(name: str) -> str | None:
    """Where a command is, whatever PATH the login has."""
    paths = (os.path.join(folder, name) for folder in PATH.split(":"))
    return next((path for path in paths if os.access(path, os.X_OK)), None)


def run(
    argv: Sequence[str], timeout: float, unprivileged: bool = False, head: int | None = None
) -> Answer:
    """`unprivileged` drops root before the command starts; where we are not root, it is moot.
    More than MOST bytes are no answer; where a `head` of so many is all that is wanted, the
    command is ended when it has printed that."""
    try:
        process = subprocess.Popen(
            list(argv),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd="/",
            env={"PATH": PATH, "LC_ALL": "C", "HOME": "/nonexistent"},
            start_new_session=True,
            **_as_nobody(unprivileged),
        )
    except (OSError, subprocess.SubprocessError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        return Answer(127, "", "", f"{argv[0]}: {reason}")
    with process:
        printed = Printed(process, head or MOST)
        ended = printed.read(time.monotonic() + timeout)
        if not ended:
            _kill_group(process.pid)
        code = process.wait()
    if ended:
        return Answer(code, _text(printed.out), _text(printed.err), None)
    if not printed.full:
        return Answer(124, "", "", f"no answer within {timeout:.0f} s")
    if head is None:
        return Answer(124, "", "", f"it printed more than {MOST >> 20} MiB")
    return Answer(0, _text(printed.out), _text(printed.err), None)


class Printed:
    """What a process prints on its two pipes, each of at most `most` bytes."""

    def __init__(self, process: subprocess.Popen[bytes], most: int) -> None:
        self._most = most
        self._out, self._err = bytearray(), bytearray()
        self._pipes = selectors.DefaultSelector()
        for pipe, kept in ((process.stdout, self._out), (process.stderr, self._err)):
            self._pipes.register(pipe, selectors.EVENT_READ, kept)  # type: ignore[arg-type]
        self.full = False

    @property
    def out(self) -> bytes:
        return bytes(self._out)

    @property
    def err(self) -> bytes:
        return bytes(self._err)

    def read(self, until: float) -> bool:
        """To the end of both; False where there was too much, or no more time."""
        with self._pipes:
            while self._pipes.get_map():
                ready = self._pipes.select(max(0.0, until - time.monotonic()))
                if not ready:
                    return False
                for key, _ in ready:
                    piece = os.read(key.fd, 1 << 16)
                    if not piece:
                        self._pipes.unregister(key.fileobj)
                    key.data.extend(piece)
                    if len(key.data) > self._most:
                        self.full = True
                        return False
        return True


def _as_nobody(drop_rights: bool) -> dict[str, Any]:
    if not drop_rights or os.geteuid() != 0:
        return {}
    if sys.version_info >= (3, 9):
        return {"user": NOBODY, "group": NOBODY, "extra_groups": []}
    return {"preexec_fn": _become_nobody()}


def _become_nobody() -> Callable[[], None]:
    def become() -> None:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)

    return become


def end_children() -> None:
    """Kill the groups of whatever `run` still waits for."""
    lists = glob.glob("/proc/self/task/*/children")
    for path in lists:
        for pid in (read_text(path) or "").split():
            _kill_group(int(pid))
    if lists:
        return
    # A kernel without these lists: every process is asked for its parent.
    for folder in glob.glob("/proc/[0-9]*"):
        words = (read_text(folder + "/stat") or "").rpartition(")")[2].split()
        if len(words) > 1 and words[1] == str(os.getpid()):
            _kill_group(int(folder[len("/proc/") :]))


def _kill_group(pid: int) -> None:
    try:
        os.killpg(pid, signal.SIGKILL)
    except OSError:
        pass


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")
