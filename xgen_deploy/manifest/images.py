"""Where the archives of images are on this machine, and whether a host pulls images."""

from collections.abc import Iterator, Mapping

from xgen_deploy.frozen import replace
from xgen_deploy.manifest.diagnostics import Problems
from xgen_deploy.manifest.file_text import absolute_path
from xgen_deploy.state.host import Host
from xgen_deploy.state.instance_config import InstanceConfig, Mark
from xgen_deploy.state.settings import Image, Pull


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


def check_images(instance: InstanceConfig, problems: Problems) -> None:
    """An archive is for images that are pushed, and these have no digest in their name."""
    for place, image in _stated(instance):
        name, archive = (image, None) if isinstance(image, str) else (image.image, image.archive)
        at = instance.marks.get(f"{place}.archive")
        if archive is not None and instance.pull != "push" and at is not None:
            problems.add(at, f"{place}.archive is read with `pull: push` alone; state that too")
        mark = instance.marks.get(place)
        if "@" in name and instance.pull == "push" and mark is not None:
            problems.add(
                mark,
                f"{place}: with `pull: push` an image has a tag and no digest, which only a "
                "registry gives it; what is sent is known by its content",
            )


def _stated(instance: InstanceConfig) -> Iterator[tuple[str, Image]]:
    yield from ((f"images.{key}", image) for key, image in instance.images.items())
    if instance.image is not None:
        yield "image", instance.image
