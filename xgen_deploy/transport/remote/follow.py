"""Runs a read-only command on the host, until it ends or stdin does."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading


def main() -> None:
    argv = json.loads(sys.stdin.buffer.readline())
    os.write(1, b"XGEN-READY 1\n")
    try:
        command = subprocess.Popen(argv, stdin=subprocess.DEVNULL, start_new_session=True)
    except OSError as error:
        os.write(2, f"{argv[0]}: {error.strerror}\n".encode())
        os._exit(127)
    threading.Thread(target=_end_with_input, args=(command.pid,), daemon=True).start()
    status = command.wait()
    os._exit(status if status >= 0 else 128 - status)


def _end_with_input(group: int) -> None:
    while sys.stdin.buffer.read(1):
        pass
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGTERM)
