"""One booted host: systemd-nspawn, started detached and ended by process id."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.lab import cgroups, network, places, rootfs
from tests.lab.process import LabError, alive, namespace_init, run, wait_until
from tests.lab.spec import HostSpec

# Takes the control groups as the first argument. Without a systemd outside, systemd-nspawn
# leaves a reboot to whoever started it, and says so with exit status 133.
_SUPERVISOR = """
for group in $1; do echo $$ > "$group/cgroup.procs"; done
shift
while :; do "$@"; [ $? -eq 133 ] || exit; done
"""

_ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}


def start(spec: HostSpec, binds: Sequence[str]) -> None:
    """Boot the host; returns at once."""
    network.remove_cable(spec.interface)
    groups = " ".join(str(group) for group in cgroups.create(spec.name))
    place = places.host_dir(spec.name)
    with (place / "console.log").open("ab") as console:
        process = subprocess.Popen(
            ["/bin/sh", "-c", _SUPERVISOR, f"xgen-{spec.name}", groups, *_nspawn(spec, binds)],
            stdin=subprocess.DEVNULL,
            stdout=console,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            cwd="/",
            env=_ENVIRONMENT,
        )
    (place / "pid").write_text(f"{process.pid}\n")
    wait_until(lambda: is_running(spec.name), f"{spec.name} to enter its control group", 10)


def _nspawn(spec: HostSpec, binds: Sequence[str]) -> list[str]:
    argv = [
        "systemd-nspawn",
        "--quiet",
        f"--directory={rootfs.root_of(spec.name)}",
        f"--machine={spec.machine}",
        f"--hostname={spec.name}",
        "--register=no",
        "--keep-unit",
        "--boot",
        f"--network-bridge={places.bridge()}",
        "--resolv-conf=off",
        "--timezone=off",
        # A Docker daemon inside needs about all that systemd-nspawn withholds.
        "--capability=all",
        "--system-call-filter=@keyring bpf",
        *binds,
    ]
    if Path("/dev/fuse").exists():
        argv.append("--bind=/dev/fuse")
    return argv


def stop(spec: HostSpec) -> None:
    """Power off at once, as by pulling the plug; nothing of the host is left running."""
    cgroups.end(spec.name)
    network.remove_cable(spec.interface)


def is_running(name: str) -> bool:
    try:
        pid = int((places.host_dir(name) / "pid").read_text())
    except (OSError, ValueError):
        return False
    # The number alone may have gone to another process since.
    return alive(pid) and pid in cgroups.members(name)


def leader(name: str) -> int | None:
    """The host's PID 1 as seen from here."""
    return namespace_init(cgroups.members(name))


def enter(name: str, argv: Sequence[str], user: str = "root") -> list[str]:
    """The command that runs `argv` inside the host, without SSH."""
    pid = leader(name)
    if pid is None:
        raise LabError(f"{name} is not running")
    home = "/root" if user == "root" else f"/home/{user}"
    path = _ENVIRONMENT["PATH"]
    prefix = ["nsenter", "--target", str(pid), "--mount", "--uts", "--ipc", "--net", "--pid"]
    prefix += ["--cgroup", "--", "/usr/bin/env", "-i", "--chdir=/"]
    prefix += [f"PATH={path}", f"HOME={home}", f"USER={user}", "LANG=C.UTF-8"]
    if user != "root":
        prefix += ["/usr/sbin/runuser", "-u", user, "--"]
    return [*prefix, *argv]


def wait_ready(spec: HostSpec, timeout: float = 120) -> None:
    """Until systemd has nothing left to start and sshd answers on the network."""

    def ready() -> bool:
        if not is_running(spec.name):
            log = (places.host_dir(spec.name) / "console.log").read_text(errors="replace")
            raise LabError(f"{spec.name} ended while it booted:\n{log[-2000:]}")
        if leader(spec.name) is None:
            return False
        asked = run(enter(spec.name, ["systemctl", "is-system-running"]), check=False)
        return asked.stdout.strip() in {"running", "degraded"} and _ssh_answers(spec.address)

    wait_until(ready, f"{spec.name} to boot", timeout)


def _ssh_answers(address: str) -> bool:
    try:
        with socket.create_connection((address, 22), timeout=1) as connection:
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False
