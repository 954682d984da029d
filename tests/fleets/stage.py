"""A lab host that has, for a while, a described fleet's libraries and other things of GPUs."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.fleets import building
from tests.fleets.described import Fleet
from tests.lab.host import LabHost

LIBRARY = f"usr/local/lib/{building.NVML}"
TREE = "opt/rocm"
TEXT = "etc/xgen-fleet.txt"


@contextmanager
def fleet_on(host: LabHost, fleet: Fleet, package: Path | None) -> Iterator[None]:
    """Within the block the host finds the fleet by the loader's and ROCm's usual places."""
    root = host.rootfs
    (root / TEXT).write_text(fleet.fleet)
    if "nvidia" in fleet.libraries:
        building.nvml((root / LIBRARY).parent, old=fleet.old)
    if "amd" in fleet.libraries and package is not None:
        library = not fleet.without_library
        building.rocm(root / TREE, package, missing=fleet.missing, library=library)
    host.run(["ldconfig"])
    try:
        yield
    finally:
        host.run(["rm", "-rf", f"/{LIBRARY}", f"/{TREE}", f"/{TEXT}"])
        host.run(["ldconfig"])


@contextmanager
def driver_on(host: LabHost, version: str, cards: dict[str, str]) -> Iterator[None]:
    """Within the block NVIDIA's kernel driver tells of itself and of cards: address -> UUID."""
    folder = "/proc/driver/nvidia"
    files = {"version": f"NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  {version}"}
    for address, uuid in cards.items():
        files[f"gpus/{address}/information"] = (
            f"Model: \t\t NVIDIA L4\nGPU UUID: \t {uuid}\nBus Location: \t {address}"
        )
    host.run(["mount", "-t", "tmpfs", "xgen-lab-driver", "/proc/driver"])
    try:
        for name, text in files.items():
            path = f"{folder}/{name}"
            host.run(["mkdir", "-p", path.rpartition("/")[0]])
            host.run(["tee", path], stdin=text + "\n")
        yield
    finally:
        host.run(["umount", "/proc/driver"])


@contextmanager
def tool_on(host: LabHost, name: str, script: str) -> Iterator[None]:
    """Within the block the host has a tool of this name."""
    path = f"usr/local/bin/{name}"
    (host.rootfs / path).write_text(f"#!/bin/sh\n{script}\n")
    (host.rootfs / path).chmod(0o755)
    try:
        yield
    finally:
        host.run(["rm", f"/{path}"])


def install(host: LabHost, package: str, folder: Path) -> None:
    """A Debian package's files, without its scripts; its libraries must be there."""
    subprocess.run(["apt-get", "download", "-qq", package], cwd=folder, check=True)
    (archive,) = folder.glob(f"{package}_*.deb")
    subprocess.run(["dpkg", "-x", str(archive), str(host.rootfs)], check=True)
