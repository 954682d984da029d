"""What stands in the way of a bundle on its hosts and that it does not bring, by what was seen of
them on the site (`gpus --json`). Pure.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from xgen_deploy.bundle.driver_need import unmet_driver
from xgen_deploy.bundle.index import ImagePart
from xgen_deploy.resolve.docker_checks import docker_refusals
from xgen_deploy.run.pushed_images import unusable_image
from xgen_deploy.sizes import size_text
from xgen_deploy.state.facts import FolderFacts, HostFacts
from xgen_deploy.state.gpu import GPUType
from xgen_deploy.state.have import HostHave
from xgen_deploy.state.host import Host
from xgen_deploy.state.site import Site

_OLDEST_PYTHON = (3, 8)


@dataclass(frozen=True)
class Load:
    """What a bundle brings to hosts: bytes of files by host and folder, and images by host."""

    files: Mapping[tuple[str, str], int]
    images: Mapping[str, tuple[ImagePart, ...]]

    def of(self, host: str) -> dict[str, int]:
        return {folder: size for (name, folder), size in self.files.items() if name == host}


def fleet_lines(
    site: Site, fleet: Mapping[str, HostFacts], have: Mapping[str, HostHave], load: Load
) -> Iterator[str]:
    for host in site.hosts.values():
        facts = fleet.get(host.name)
        if facts is None:
            yield f"{host.name}: --fleet does not tell of it, and nothing was checked"
            continue
        clauses = (
            *_python(facts),
            *_docker(host, facts, load),
            *_images(facts, load.images.get(host.name, ())),
            *_disks(host, facts, have.get(host.name), load),
        )
        yield from (f"{host.name}: {clause}" for clause in dict.fromkeys(clauses))


def _python(facts: HostFacts) -> Iterator[str]:
    if (reason := facts.no_python) is not None:
        yield f"a Python 3.8 or newer ({reason})"
        return
    found = re.match(r"(\d+)\.(\d+)", facts.python or "")
    if found and (int(found[1]), int(found[2])) < _OLDEST_PYTHON:
        yield f"a Python 3.8 or newer (it has {facts.python})"


def _docker(host: Host, facts: HostFacts, load: Load) -> Iterator[str]:
    if load.images.get(host.name) and facts.no_python is None:
        for refusal in docker_refusals(host, facts.docker):
            yield refusal.on_one_line


def _images(facts: HostFacts, images: tuple[ImagePart, ...]) -> Iterator[str]:
    cards = (g for g in facts.gpu.gpus if g.gpu_type is GPUType.NVIDIA)
    drivers = {card.driver_version for card in cards if card.driver_version}
    for part in images:
        if (reason := unusable_image(part.image, facts)) is not None:
            yield f"image {part.name} {reason}"
        for driver in sorted(drivers):
            if (need := unmet_driver(part.image.env, driver)) is not None:
                yield f"an NVIDIA driver for {need} (it has {driver}), which {part.name} needs"


def _disks(host: Host, facts: HostFacts, have: HostHave | None, load: Load) -> Iterator[str]:
    """Folders that are as free are on one disk."""
    disks: dict[tuple[int, int], tuple[FolderFacts, int]] = {}
    for folder, size in _rooms(host, facts, have, load):
        _, before = disks.get((folder.free, folder.total), (folder, 0))
        disks[folder.free, folder.total] = (folder, before + size)
    for folder, size in disks.values():
        if size > folder.free:
            yield (
                f"room: {size_text(size)} come to {folder.path}, where {size_text(folder.free)} "
                "were free"
            )


def _rooms(
    host: Host, facts: HostFacts, have: HostHave | None, load: Load
) -> Iterator[tuple[FolderFacts, int]]:
    known = {folder.path.rstrip("/"): folder for folder in facts.folders}
    for path, size in load.of(host.name).items():
        if (folder := known.get(path)) is not None:
            yield folder, size
    if facts.docker.root is not None:
        images = load.images.get(host.name, ())
        yield facts.docker.root, sum(_layers_lacking(part, have) for part in images)


def _layers_lacking(part: ImagePart, have: HostHave | None) -> int:
    there = have.layers_of(part.image.diff_ids) if have is not None else 0
    return sum(layer.blob.size for layer in part.image.layers[there:])
