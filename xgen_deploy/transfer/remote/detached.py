"""Transfers that go on when nobody is connected any more. How they go is in a file, which is locked
while this process lives (probe/remote/detached.py reads it); without the file the process ends.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import threading
import time
from typing import Any, Callable

from xgen_deploy.transfer.remote.events import Events

IDLE = 6 * 3600.0
LONGEST = 3 * 86400.0
LOOK = 1.0
SHOWN = 500

Transfer = Callable[["dict[str, Any]", Events], bool]
NOTHING_CAME = ("note", "waiting", "alive")
WAITING, RUNNING, DONE, FAILED = "waiting", "running", "done", "failed"


def size_of(job: dict[str, Any]) -> int:
    """Of what is brought, and about of what is made."""
    files: int = sum(file["size"] for file in job["files"])
    made = job.get("quantize")
    return files + int(made["size"]) if made else files


def forked() -> int:
    """Returns in a process with a session of its own; this one ends once what is returned there is
    closed. That one has to take the locks: in a container the kernel does not list those of a
    process that has ended.
    """
    reading, writing = os.pipe()
    if os.fork():
        os.close(writing)
        os.read(reading, 1)
        os._exit(0)
    os.close(reading)
    os.setsid()
    os.chdir("/")
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    return writing


class Detached:
    """A list of transfers, one after another. Raises OSError; BlockingIOError where there are
    others already."""

    def __init__(self, path: str, names: list[str], sizes: list[int]) -> None:
        self._path, self._longest = path, 0
        self._fd = _locked(path)
        self._lock = threading.Lock()
        self._events = Events(lambda *_: None)
        self._began = self._heard = time.monotonic()
        self._state: dict[str, Any] = {
            "began": time.time(),
            "jobs": [
                {"name": name[:SHOWN], "size": size, "here": 0, "came": 0, "seconds": 0.0,
                 "state": WAITING, "text": ""}
                for name, size in zip(names, sizes)
            ],
        }  # fmt: skip
        os.ftruncate(self._fd, 0)
        self._write()

    def let_go(self, parent: int) -> None:
        """Of the connection, and of the process that waits at the other end of `parent`."""
        nowhere = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        for stream in range(3):
            os.dup2(nowhere, stream)
        os.close(parent)
        threading.Thread(target=self._watch, daemon=True).start()

    def run(self, jobs: list[dict[str, Any]], transfer: Transfer) -> None:
        """`transfer` says whether it came to its end. Where all did, nothing of this stays."""
        ended = [self._one(number, job, transfer) for number, job in enumerate(jobs)]
        if all(ended):
            with contextlib.suppress(OSError):
                os.unlink(self._path)

    def _one(self, number: int, job: dict[str, Any], transfer: Transfer) -> bool:
        entry, began = self._state["jobs"][number], time.monotonic()
        sizes = [file["size"] for file in job["files"]]
        self._heard = began
        self._change(entry, state=RUNNING)

        def hear(event: str, more: dict[str, Any]) -> None:
            came, here, text = entry["came"], entry["here"], entry["text"]
            if event == "bytes":
                came, text = came + more["count"], ""
            elif event == "resumed":
                here += more["count"]
            elif event == "there":
                here += sizes[more["file"]]
            elif event in ("note", "failed"):
                text = more["text"]
            elif event == "waiting":
                text = "it waits for another transfer of the same file"
            if event not in NOTHING_CAME:
                self._heard = time.monotonic()
            seconds = round(time.monotonic() - began, 1)
            self._change(entry, came=came, here=here, text=text[:SHOWN], seconds=seconds)

        self._events = Events(hear)
        good = transfer(job, self._events)
        self._events.flush()
        self._change(entry, state=DONE if good else FAILED)
        return good

    def _change(self, entry: dict[str, Any], **more: Any) -> None:
        with self._lock:
            entry.update(more)
            self._write()

    def _write(self) -> None:
        """In one piece over the one before, so that who reads sees one state."""
        data = json.dumps(self._state).encode()
        self._longest = max(self._longest, len(data))
        with contextlib.suppress(OSError):
            os.pwrite(self._fd, data.ljust(self._longest), 0)

    def _watch(self) -> None:
        while True:
            time.sleep(LOOK)
            if not os.fstat(self._fd).st_nlink:  # it was called off, or the project is gone
                os._exit(1)
            self._events.flush()
            now, text = time.monotonic(), ""
            if now - self._heard > IDLE:
                text = f"nothing came for {IDLE / 3600:.0f} hours"
            elif now - self._began > LONGEST:
                text = f"it took more than {LONGEST / 86400:.0f} days"
            if text:
                self._give_up(text)

    def _give_up(self, text: str) -> None:
        for entry in self._state["jobs"]:
            if entry["state"] in (RUNNING, WAITING):
                because = f"{text}: {entry['text']}" if entry["text"] else text
                self._change(entry, state=FAILED, text=because[:SHOWN])
        os._exit(1)


def _locked(path: str) -> int:
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(fd)
        raise
    return fd
