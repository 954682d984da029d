"""What answers at Docker's socket: its unit, and whether it is Docker as packages bring it."""

from __future__ import annotations

import glob
import os
import socket
import struct

from xgen_deploy.probe.remote.commands import run
from xgen_deploy.probe.remote.processes import process_unit
from xgen_deploy.probe.remote.reading import read_text

PATIENCE = 5.0
USUAL = "docker.service"
FOLDERS = ("/etc", "/run", "/usr/local/lib", "/usr/lib", "/lib")
SNAP = "/snap/bin/docker"
ROOTLESS = "/run/user/*/docker.sock"
_SCRIPT = 4096


def daemon_unit(path: str) -> str | None:
    """The unit that runs the daemon behind a socket: engines start with it. None where it was
    started by hand. systemd itself listens for a daemon that is started by its socket."""
    pid = _listener(path)
    unit = process_unit(pid) if pid > 1 else None
    if unit and (unit == USUAL or unit.startswith("snap.") or _runs(unit, pid)):
        return unit
    files = (f"{folder}/systemd/system/{USUAL}" for folder in FOLDERS)
    return USUAL if any(map(os.path.exists, files)) else None


def _listener(path: str) -> int:
    """The process that began to listen there; 0 where it cannot be told. Raises OSError."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(PATIENCE)
        connection.connect(path)
        told = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return int(struct.unpack("3i", told)[0])


def _runs(unit: str, pid: int) -> bool:
    """A daemon that was started by hand is in the unit of whoever did it."""
    if not unit.endswith(".service"):
        return False
    argv = ["systemctl", "show", "--property=MainPID", "--value", "--", unit]
    return run(argv, PATIENCE).out.strip() == str(pid)


def is_podman(cli: str) -> bool:
    """Whether a `docker` is Podman's: a link to it, or its script."""
    if os.path.basename(os.path.realpath(cli)) == "podman":
        return True
    text = read_text(cli, _SCRIPT) or ""
    return text.startswith("#!") and "podman" in text


def snap_cli() -> str | None:
    return SNAP if os.path.lexists(SNAP) else None


def rootless_socket() -> str | None:
    return next(iter(sorted(glob.glob(ROOTLESS))), None)
