"""The whole lab: brings hosts up, finds those that run, takes all down."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.lab import (
    access,
    bootstrap,
    cache,
    machine,
    network,
    payload,
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
    with cache.locked(places.run_dir().with_suffix(".lock")):
        missing = [spec for spec in specs if not machine.is_running(spec.name)]
        if missing:
            prerequisites.install()
            base, binds = _parts()
            access.public_key()
            network.up()
            with ThreadPoolExecutor(len(missing)) as pool:
                list(pool.map(lambda spec: _boot(spec, base, binds), missing))
        _write_access()
    return [LabHost(spec) for spec in specs]


def down(names: Sequence[str] | None = None) -> None:
    """Take these hosts down, and with the last one everything but the cache."""
    with cache.locked(places.run_dir().with_suffix(".lock")):
        for name in names if names is not None else existing():
            machine.stop(_spec(name))
            rootfs.remove(name)
        if existing():
            _write_access()
            return
        network.down()
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


def _parts() -> tuple[Path, list[str]]:
    """The base and what every host sees read-only, fetched and built side by side."""
    with ThreadPoolExecutor(3) as pool:
        base = pool.submit(bootstrap.host_base)
        models = pool.submit(payload.model_dir)
        engine = payload.engine_dir()
        images = bootstrap.image_dir(engine)
        binds = [
            f"--bind-ro={engine}:{places.ENGINE_DIR}",
            f"--bind-ro={models.result()}:{places.MODEL_DIR}",
            f"--bind-ro={images}:{places.IMAGE_DIR}",
        ]
        return base.result(), binds


def _boot(spec: HostSpec, base: Path, binds: list[str]) -> None:
    if places.host_dir(spec.name).exists():
        # Left by a machine that lost power, or by a host that ended by itself.
        machine.stop(spec)
        rootfs.remove(spec.name)
    rootfs.create(spec, base)
    own = list(binds)
    if spec.docker:
        # Docker's layers are overlays, and an overlay cannot lie on an overlay.
        own.append(f"--bind={places.host_dir(spec.name)}/docker:/var/lib/docker")
    machine.start(spec, own)
    machine.wait_ready(spec)
    if spec.docker:
        archive = f"{places.IMAGE_DIR}/{bootstrap.IMAGE_ARCHIVE}"
        LabHost(spec).run(["docker", "load", "--quiet", "--input", archive], timeout=300)


def _write_access() -> None:
    key = "etc/ssh/ssh_host_ed25519_key.pub"
    hosts = [CATALOGUE[name] for name in running()]
    access.write([(spec, (rootfs.root_of(spec.name) / key).read_text()) for spec in hosts])
