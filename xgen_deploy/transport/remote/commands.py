"""Runs a command in its own process group, with a deadline; keeps the tail of its output."""

from __future__ import annotations

import base64
import contextlib
import os
import subprocess
import threading
import time
from typing import IO, Any

from xgen_deploy.transport.remote.groups import Groups, end_groups

CAPTURE = 1 << 20
DRAIN = 0.5


class Tail(threading.Thread):
    """Reads a pipe to its end and keeps the last CAPTURE bytes."""

    def __init__(self, pipe: IO[bytes]) -> None:
        super().__init__(daemon=True)
        self._pipe = pipe
        self._kept = bytearray()
        self.start()

    def run(self) -> None:
        with self._pipe:
            while True:
                chunk = os.read(self._pipe.fileno(), 1 << 16)
                if not chunk:
                    return
                self._kept += chunk
                if len(self._kept) > 2 * CAPTURE:
                    del self._kept[:-CAPTURE]

    def text(self) -> str:
        return bytes(self._kept[-CAPTURE:]).decode(errors="replace")


def run(
    groups: Groups, argv: list[str], timeout: float, stdin: str, env: dict[str, str]
) -> dict[str, Any]:
    """`stdin` is base64. Status 124 for a timeout, 127 or 126 where the command could not start."""
    try:
        process = groups.start(
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=_environment(env),
            cwd="/",
        )
    except (FileNotFoundError, PermissionError, NotADirectoryError) as error:
        status = 126 if isinstance(error, PermissionError) else 127
        return {"returncode": status, "stdout": "", "stderr": f"{argv[0]}: {error.strerror}"}
    content = base64.b64decode(stdin)
    threading.Thread(target=_feed, args=(process, content), daemon=True).start()
    tails = [Tail(process.stdout), Tail(process.stderr)]  # type: ignore[arg-type]
    try:
        status = process.wait(timeout)
    except subprocess.TimeoutExpired:
        status = 124
        end_groups([process])
        process.wait()
    until = time.monotonic() + DRAIN  # A background child may hold the pipe open for ever.
    for tail in tails:
        tail.join(max(0.0, until - time.monotonic()))
    groups.forget_if_empty(process)
    return {"returncode": status, "stdout": tails[0].text(), "stderr": tails[1].text()}


def _environment(extra: dict[str, str]) -> dict[str, str]:
    system = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    path = ":".join(filter(None, (os.environ.get("PATH"), system)))
    return dict(os.environ, PATH=path, LC_ALL="C.UTF-8", **extra)


def _feed(process: subprocess.Popen[bytes], content: bytes) -> None:
    pipe = process.stdin
    with contextlib.suppress(OSError, ValueError):
        if pipe is not None:
            pipe.write(content)
            pipe.close()
