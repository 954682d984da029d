"""One host from nothing to ready, and what all hosts share."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.lab import bootstrap, cache, machine, payload, places, rootfs
from tests.lab.host import LabHost
from tests.lab.process import run
from tests.lab.spec import HostSpec

_SEED = HostSpec("lab-seed", 9)


@dataclass(frozen=True)
class Parts:
    """What every host starts from: made once, never written to by a host."""

    base: Path
    engine: Path
    models: Path
    images: Path

    @property
    def binds(self) -> list[str]:
        return [
            f"--bind-ro={self.engine}:{places.ENGINE_DIR}",
            f"--bind-ro={self.models}:{places.MODEL_DIR}",
            f"--bind-ro={self.images}:{places.IMAGE_DIR}",
        ]


def parts() -> Parts:
    """Fetched and built side by side."""
    with ThreadPoolExecutor(3) as pool:
        base = pool.submit(bootstrap.host_base)
        models = pool.submit(payload.model_dir)
        engine = payload.engine_dir()
        images = bootstrap.image_dir(engine)
        return Parts(base.result(), engine, models.result(), images)


def docker_data(shared: Parts) -> Path:
    """Docker's own directory with the engine's image loaded, by a host that lives for that."""
    recipe = f"{shared.base.parent.name} {shared.images.name}"

    def build(draft: Path) -> None:
        clear(_SEED)
        try:
            _start(_SEED, shared, docker=draft / "data")
            archive = f"{places.IMAGE_DIR}/{bootstrap.IMAGE_ARCHIVE}"
            LabHost(_SEED).run(["docker", "load", "--quiet", "--input", archive], timeout=300)
            LabHost(_SEED).run(["systemctl", "stop", "docker.socket", "docker", "containerd"])
            # By this number a daemon tells itself from others.
            (draft / "data" / "engine-id").unlink(missing_ok=True)
        finally:
            clear(_SEED)

    return cache.built("docker", recipe, build) / "data"


def boot(spec: HostSpec, shared: Parts, docker: Path) -> None:
    """Returns when the host is ready. `docker` is what `docker_data` made."""
    own = places.host_dir(spec.name) / "docker"
    if spec.docker:
        _copy_docker(docker, own)
    _start(spec, shared, docker=own)


def clear(spec: HostSpec) -> None:
    """Ends the host and removes all that is its own."""
    machine.stop(spec)
    if places.host_dir(spec.name).exists():
        rootfs.remove(spec.name)


def _start(spec: HostSpec, shared: Parts, docker: Path) -> None:
    rootfs.create(spec, shared.base)
    places.shared_dir().mkdir(parents=True, exist_ok=True)
    binds = [*shared.binds, f"--bind={places.shared_dir()}:{places.SHARED}"]
    if spec.docker:
        docker.mkdir(exist_ok=True)
        # Docker's layers are overlays, and an overlay cannot lie on an overlay.
        binds.append(f"--bind={docker}:/var/lib/docker")
    machine.start(spec, binds)
    machine.wait_ready(spec)


def _copy_docker(made: Path, own: Path) -> None:
    """The layers are links: Docker never writes into a file of one. All else is the host's own."""
    own.mkdir()
    same_disk = made.stat().st_dev == own.stat().st_dev
    for entry in made.iterdir():
        how = "-al" if same_disk and entry.name == "overlay2" else "-a"
        run(["cp", how, str(entry), str(own)])
