"""The machine itself: its name, kernel, processor and memory, and who we are on it."""

from __future__ import annotations

import os
import pwd
import sys
import time
from typing import Any

from xgen_deploy.probe.remote.reading import read_pairs, read_text
from xgen_deploy.probe.remote.sha256 import sha256


def machine() -> dict[str, Any]:
    names = os.uname()
    memory = read_pairs("/proc/meminfo", ":")
    uid = os.geteuid()
    return {
        "hostname": names.nodename,
        "arch": names.machine,
        "kernel": names.release,
        "os": _os_name(),
        "machine_id": _machine_id(),
        "boot_id": (read_text("/proc/sys/kernel/random/boot_id") or "").strip() or None,
        "python": sys.version.split()[0],
        "python_path": sys.executable or None,
        "user": login_name(uid) or str(uid),
        "uid": uid,
        "now": time.time(),
        "cores": cores(),
        "cpu_model": _cpu_model(names.machine),
        "memory_total_mb": _mebibytes(memory.get("MemTotal")),
        "memory_available_mb": _mebibytes(memory.get("MemAvailable")),
    }


def cores() -> int:
    """The processors that we may use."""
    try:
        return len(os.sched_getaffinity(0))
    except (AttributeError, OSError):
        return os.cpu_count() or 1


def login_name(uid: int) -> str | None:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return None


def login_home() -> str:
    """The home of whoever logged in: under sudo that is not root's."""
    name = os.environ.get("SUDO_USER")
    try:
        return (pwd.getpwnam(name) if name else pwd.getpwuid(os.geteuid())).pw_dir
    except KeyError:
        return os.environ.get("HOME", "/")


def _machine_id() -> str | None:
    """Its digest: the ID itself is not to leave the machine (machine-id(5))."""
    text = (read_text("/etc/machine-id") or "").strip()
    known = len(text) == 32 and text.isalnum()
    return sha256(f"xgen-deploy {text}".encode()).hexdigest()[:32] if known else None


def _os_name() -> str | None:
    value = read_pairs("/etc/os-release", "=").get("PRETTY_NAME", "").strip("\"'")
    return value or None


def _cpu_model(arch: str) -> str | None:
    pairs = read_pairs("/proc/cpuinfo", ":")
    return pairs.get("model name") or pairs.get("Model") or arch or None


def _mebibytes(value: str | None) -> int | None:
    """From meminfo's `16316412 kB`."""
    number = (value or "").split(" ")[0]
    return int(number) // 1024 if number.isdigit() else None
