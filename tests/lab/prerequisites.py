"""What the machine must have before a lab can be built on it."""

from __future__ import annotations

import os
import platform
import shutil
from contextlib import suppress
from pathlib import Path

from tests.lab import cache, places
from tests.lab.process import run

_WATCHES = 4096

# command -> the Debian package that brings it
_PACKAGES = {
    "mmdebstrap": "mmdebstrap",
    "systemd-nspawn": "systemd-container",
    "ip": "iproute2",
    "iptables": "iptables",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
    "nsenter": "util-linux",
}


def missing_reason() -> str | None:
    """Why no lab can be had here, or None."""
    if platform.system() != "Linux":
        return f"the lab needs Linux, this is {platform.system()}"
    if os.geteuid() != 0:
        return "the lab needs root: it mounts file systems and boots hosts"
    if platform.machine() != "x86_64":
        return f"the lab's engine is built for x86_64, this is {platform.machine()}"
    if shutil.which("apt-get") is None:
        return "the lab needs apt-get: hosts are made from Debian packages"
    return None


def install() -> None:
    """Install the tools that are not there; asks the archive only when something is missing."""
    _allow_many_hosts()
    packages = sorted({p for command, p in _PACKAGES.items() if shutil.which(command) is None})
    if not packages:
        return
    with cache.locked(places.cache_dir() / "locks" / "packages"):
        _install(packages)


def _allow_many_hosts() -> None:
    """Each host watches files in some ten places, and the usual limit is 128 for all together."""
    limit = Path("/proc/sys/fs/inotify/max_user_instances")
    with suppress(OSError):  # not ours to set in a container; then it holds for fewer hosts
        limit.write_text(str(max(_WATCHES, int(limit.read_text()))))


def _install(packages: list[str]) -> None:
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    command = ["apt-get", "install", "-y", "--no-install-recommends", *packages]
    if run(command, check=False, env=environment).returncode != 0:
        # Package lists are often absent or too old on fresh machines.
        run(["apt-get", "update"], env=environment)
        run(command, env=environment)
