"""The programs of the process runtime, as its supervisor knows them."""

from __future__ import annotations

import glob
import http.client
import os
import socket
import xmlrpc.client
from typing import Any

from xgen_deploy.probe.remote.files import owner, sha256

PATIENCE = 5.0
LONGEST = 107  # bytes of a socket's address (unix(7))
STATES = {
    "RUNNING": "active",
    "STARTING": "activating",
    "BACKOFF": "activating",
    "STOPPING": "deactivating",
    "STOPPED": "inactive",
    "EXITED": "inactive",
    "FATAL": "failed",
}


class UnixConnection(http.client.HTTPConnection):
    """A connection to a socket file, however long its path is."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=PATIENCE)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(PATIENCE)
        if len(os.fsencode(self._path)) <= LONGEST:
            self.sock.connect(self._path)
            return
        folder, name = os.path.split(self._path)
        opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            self.sock.connect(os.path.join("/proc/self/fd", str(opened), name))
        finally:
            os.close(opened)


class UnixTransport(xmlrpc.client.Transport):
    """XML-RPC to a socket file, whatever host the URL names."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = path

    def make_connection(self, _host: Any) -> http.client.HTTPConnection:
        return UnixConnection(self._path)


def programs(folder: str) -> list[dict[str, Any]]:
    """Programs that have a definition or that the supervisor runs. Raises OSError where a
    supervisor is there and does not answer."""
    defined = {
        os.path.basename(path)[: -len(".conf")]: path
        for path in glob.glob(os.path.join(glob.escape(folder), "conf.d", "*.conf"))
    }
    known = {info["name"]: info for info in _all_info(os.path.join(folder, "supervisor.sock"))}
    return [
        _program(name, defined.get(name), known.get(name))
        for name in sorted(set(defined) | set(known))
    ]


def _all_info(path: str) -> list[dict[str, Any]]:
    """Empty where no supervisor runs: a socket file may outlive it."""
    server = xmlrpc.client.ServerProxy("http://localhost/RPC2", transport=UnixTransport(path))
    try:
        answer: Any = server.supervisor.getAllProcessInfo()
    except (FileNotFoundError, ConnectionRefusedError):
        return []
    return list(answer)


def _program(name: str, path: str | None, info: dict[str, Any] | None) -> dict[str, Any]:
    seen = info or {"statename": "STOPPED"}
    state = STATES.get(seen["statename"], "unknown")
    ended = state in ("inactive", "failed")
    return {
        "name": name,
        "kind": "program",
        "state": state,
        "sub_state": seen["statename"].lower() if info else "no supervisor",
        "result": seen.get("spawnerr") or None,
        "sha256": sha256(path) if path else None,
        "uid": owner(path) if path else None,
        "pid": seen.get("pid") or None,
        "exit_status": seen.get("exitstatus") if ended and seen.get("start") else None,
        "since": float(seen.get("start") or 0) or None if state == "active" else None,
    }
