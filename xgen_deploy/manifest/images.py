"""Where the archives of images are on this machine, and whether a host pulls images."""

from collections.abc import Mapping

from xgen_deploy.frozen import replace
from xgen_deploy.manifest.diagnostics import Problems
from xgen_deploy.manifest.file_text import absolute_path
from xgen_deploy.state.host import Host
from xgen_deploy.state.instance_config import InstanceConfig, Mark
from xgen_deploy.state.settings import Image, ImageWithEntrypoint, Pull


def absolute_image(image: Image, place: str, marks: Mapping[str, Mark]) -> Image:
    """A relative `archive` is relative to the file that states it; `place` is its dotted key."""
    if isinstance(image, str) or image.archive is None or image.archive.startswith("/"):
        return image
    return replace(image, archive=absolute_path(image.archive, marks[f"{place}.archive"]))


def absolute_images(
    images: Mapping[str, Image], marks: Mapping[str, Mark], table: str = "images"
) -> dict[str, Image]:
    return {
        str(key): absolute_image(image, f"{table}.{key}", marks) for key, image in images.items()
    }


def pull_of(host: Host, stated: Pull) -> Pull:
    """A host that is to contact nobody outside pulls nothing."""
    return "never" if stated == "missing" and host.egress is False else stated


def check_archives(instance: InstanceConfig, problems: Problems) -> None:
    """An archive is for images that are pushed."""
    if instance.pull == "push":
        return
    tables = {f"images.{key}": image for key, image in instance.images.items()}
    for place, image in {**tables, **({"image": instance.image} if instance.image else {})}.items():
        mark = instance.marks.get(f"{place}.archive")
        if isinstance(image, ImageWithEntrypoint) and image.archive is not None and mark:
            problems.add(mark, f"{place}.archive is read with `pull: push` alone; state that too")
