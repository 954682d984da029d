"""The whole lab: brings hosts up, finds those that run, takes all down.

Several runs may do so at once, each with hosts of its own: what they share is made and removed
under one lock, a host under its own, so that hosts boot side by side.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path

from tests.lab import (
    access,
    boot,
    cache,
    cgroups,
    machine,
    network,
    places,
    prerequisites,
    rootfs,
)
from tests.lab.host import LabHost
from tests.lab.process import LabError
from tests.lab.spec import CATALOGUE, STANDARD, HostSpec


def up(names: Sequence[str] = STANDARD) -> list[LabHost]:
    """Bring these hosts up, as far as they are not; returns them."""
    if reason := prerequisites.missing_reason():
        raise LabError(reason)
    specs = [_spec(name) for name in names]
    missing = [spec for spec in specs if not machine.is_running(spec.name)]
    if missing:
        prerequisites.install()
        with _shared():
            access.public_key()
            network.up()
            parts = boot.parts()
            docker = boot.docker_data(parts)
        with ThreadPoolExecutor(len(missing)) as pool:
            list(pool.map(lambda spec: _ensure(spec, parts, docker), missing))
    return [LabHost(spec) for spec in specs]


def down(names: Sequence[str] | None = None) -> None:
    """Take these hosts down, and with the last one everything but the cache."""
    specs = [_spec(name) for name in (names if names is not None else existing())]
    if specs:
        with ThreadPoolExecutor(len(specs)) as pool:
            list(pool.map(_end, specs))
    with _shared():
        if existing():
            _write_access()
            return
        network.down()
        cgroups.end_all()
        shutil.rmtree(places.run_dir(), ignore_errors=True)


def existing() -> list[str]:
    """Hosts with a place on disk, running or not."""
    return [name for name in CATALOGUE if places.host_dir(name).exists()]


def running() -> list[str]:
    return [name for name in existing() if machine.is_running(name)]


def _spec(name: str) -> HostSpec:
    if name not in CATALOGUE:
        raise LabError(f"no host {name!r}; there can be {', '.join(CATALOGUE)}")
    return CATALOGUE[name]


def _shared() -> AbstractContextManager[None]:
    """Held while what all hosts share is made or removed."""
    return cache.locked(places.lock("lab"))


def _own(spec: HostSpec) -> AbstractContextManager[None]:
    return cache.locked(places.lock(f"boot-{spec.name}"))


def _ensure(spec: HostSpec, parts: boot.Parts, docker: Path) -> None:
    with _own(spec):
        if machine.is_running(spec.name):
            return
        # Left by a machine that lost power, or by a host that ended by itself.
        boot.clear(spec)
        with _shared():
            # Another run may have ended the lab meanwhile; it leaves one alone that has a host.
            places.host_dir(spec.name).mkdir(parents=True)
            access.public_key()
            network.up()
        boot.boot(spec, parts, docker)
        with _shared():
            _write_access()


def _end(spec: HostSpec) -> None:
    with _own(spec):
        boot.clear(spec)


def _write_access() -> None:
    key = "etc/ssh/ssh_host_ed25519_key.pub"
    hosts = [CATALOGUE[name] for name in running()]
    access.write([(spec, (rootfs.root_of(spec.name) / key).read_text()) for spec in hosts])
