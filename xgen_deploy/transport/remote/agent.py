"""The agent: runs on the host for the length of an apply.

Requests are JSON lines on its stdin, `{"id": n, "op": name, ...}`, each served by a thread of its
own; answers are JSON lines on its stdout, `{"id": n, "ok": ...}` or `{"id": n, "error": text,
"kind": "failed" | "locked"}`. It ends, with every process group that it started, when its stdin
ends or has been silent for SILENCE seconds.
"""

from __future__ import annotations

import functools
import json
import os
import signal
import sys
import threading
import time
from typing import Any, Callable

from xgen_deploy.transport.remote import (
    bytes_read,
    commands,
    files,
    removal,
    unix_socket,
    web,
)
from xgen_deploy.transport.remote.groups import GRACE, Groups
from xgen_deploy.transport.remote.locks import Locked, Locks

SILENCE = 25.0


class Agent:
    def __init__(self) -> None:
        self._groups = Groups()
        locks = Locks()
        self._writing = threading.Lock()
        self._heard = time.monotonic()
        self._operations: dict[str, Callable[..., dict[str, Any]]] = {
            "ping": dict,
            "run": functools.partial(commands.run, self._groups),
            "write_file": files.write_file,
            "make_dir": files.make_dir,
            "read_file": files.read_file,
            "remove": removal.remove,
            "request": web.request,
            "ask_socket": unix_socket.ask_socket,
            "bytes_read": bytes_read.bytes_read,
            "lock": locks.take,
            "note": locks.note,
        }

    def serve(self) -> None:
        # Handlers rather than SIG_IGN, which commands would inherit.
        signal.signal(signal.SIGHUP, lambda *_: None)
        signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=self._end).start())
        threading.Thread(target=self._watch, daemon=True).start()
        os.write(1, b"XGEN-READY 1\n")
        for line in sys.stdin.buffer:
            self._heard = time.monotonic()
            threading.Thread(target=self._answer, args=(json.loads(line),), daemon=True).start()
        self._end()

    def _answer(self, request: dict[str, Any]) -> None:
        number = request.pop("id")
        try:
            reply: dict[str, Any] = {"ok": self._operations[request.pop("op")](**request)}
        except Locked as error:
            reply = {"kind": "locked", "error": str(error)}
        except OSError as error:
            reply = {"kind": "failed", "error": error.strerror or str(error)}
        except Exception as error:
            reply = {"kind": "failed", "error": f"{type(error).__name__}: {error}"}
        line = memoryview(json.dumps(dict(reply, id=number)).encode() + b"\n")
        with self._writing:
            while line:
                line = line[os.write(1, line) :]

    def _watch(self) -> None:
        while time.monotonic() - self._heard < SILENCE:
            time.sleep(0.5)
        self._end()

    def _end(self) -> None:
        last = threading.Timer(GRACE + 1.0, os._exit, (1,))
        last.daemon = True
        last.start()
        self._groups.end()
        os._exit(0)


def main() -> None:
    Agent().serve()
