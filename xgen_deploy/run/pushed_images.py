"""Images that this machine gives to hosts: what hosts are asked for, and what takes the place of an
image that one has not got, so that a plan can be made before anything is sent.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from xgen_deploy import frozen
from xgen_deploy.backends.registry import backend_named
from xgen_deploy.files.image_blobs import image_artifact, image_id, image_places
from xgen_deploy.images.local_images import Images
from xgen_deploy.images.oci_layout import ImageError
from xgen_deploy.resolve.locked import command, lock_name
from xgen_deploy.state.facts import EngineFacts, HostFacts, PushedImage
from xgen_deploy.state.fetch import Lacking
from xgen_deploy.state.observation import Observation, Observed
from xgen_deploy.state.oci_image import OciImage
from xgen_deploy.state.settings import Image, ImageWithEntrypoint
from xgen_deploy.state.site import Site

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm"}
_READS_ZSTD = 23
_SAVE_ANEW = "Load it here and save it anew: `docker save` writes other ones."


@dataclass(frozen=True)
class Pushed:
    """By image: where this machine has it (None: in its Docker), what hosts are asked for, or why
    it cannot be had here."""

    archives: Mapping[str, str | None]
    looked_for: Mapping[str, PushedImage]
    errors: Mapping[str, ImageError]


def pushed_images(site: Site, images: Images) -> Pushed:
    archives = archives_of(site)
    looked_for: dict[str, PushedImage] = {}
    errors: dict[str, ImageError] = {}
    for name, archive in archives.items():
        try:
            looked_for[name] = images.looked_for(name, archive)
            check_locked_image(site, name, looked_for[name])
        except ImageError as error:
            errors[name] = error
            looked_for.pop(name, None)
    return Pushed(archives, looked_for, errors)


def check_locked_image(site: Site, name: str, image: PushedImage) -> None:
    """Raises ImageError where this machine's is not the locked one."""
    locked = site.lock.image(name) if site.lock is not None else None
    if locked is not None and not locked.is_of(image):
        raise ImageError(
            f"this machine's is another one than in {lock_name(site)}",
            f"`{command(site)} --update {name}` takes it.",
        )


def told_of_lock(observed: Observed, site: Site) -> Observed:
    """Where a host has another image than the locked one, its error says so."""
    return {
        name: _told_of_lock(o, site) if isinstance(o, Observation) else o
        for name, o in observed.items()
    }


def _told_of_lock(observation: Observation, site: Site) -> Observation:
    engines = tuple(_against_lock(build, site) for build in observation.facts.engines)
    if engines == observation.facts.engines:
        return observation
    return replace(observation, facts=frozen.replace(observation.facts, engines=engines))


def _against_lock(build: EngineFacts, site: Site) -> EngineFacts:
    locked = site.lock.image(build.image) if site.lock is not None and build.image else None
    if locked is None or build.layers_there is None or build.error is None:
        return build
    said = f"{build.error}, and {lock_name(site)} has {locked.identity[:19]}"
    return frozen.replace(build, error=said)


def archives_of(site: Site) -> dict[str, str | None]:
    """By image: its archive, None: it is in this machine's Docker."""
    return dict(_named(site))


def _named(site: Site) -> Iterator[tuple[str, str | None]]:
    """Those with an archive last: it counts, wherever it is stated."""
    stated: list[Image] = [*site.images.values()]
    for config in site.declared:
        stated += [*config.images.values(), *([config.image] if config.image else [])]
    for host in site.hosts.values():
        stated += host.images.values()
    yield from ((i if isinstance(i, str) else i.image, None) for i in stated)
    for image in stated:
        if isinstance(image, ImageWithEntrypoint) and image.archive is not None:
            yield image.image, image.archive


def with_lacking_images(observed: Observed, pushed: Pushed, images: Images) -> Observed:
    """An image that cannot be had here stays missing, and its error says why."""
    return {
        name: _completed(o, pushed, images) if isinstance(o, Observation) else o
        for name, o in observed.items()
    }


def _completed(observation: Observation, pushed: Pushed, images: Images) -> Observation:
    engines: list[EngineFacts] = []
    lacking: dict[str, Lacking] = {}
    for build in observation.facts.engines:
        name = build.image
        if name is None or build.state is not None or build.error is None:
            engines.append(build)
            continue
        error = pushed.errors.get(name)
        if build.layers_there is not None and _of_use(build, observation.facts):
            try:
                image = images.image(name, pushed.archives[name])
                coming = _coming(build, image, observation.facts)
                lacking[name] = _lacking(build, image, observation, pushed, images)
                engines.append(coming)
                continue
            except ImageError as failed:
                error = failed
        engines.append(_told(build, error) if error is not None else build)
    if not lacking and tuple(engines) == observation.facts.engines:
        return observation
    facts = frozen.replace(observation.facts, engines=tuple(engines))
    return replace(observation, facts=facts, lacking=(*observation.lacking, *lacking.values()))


def _of_use(build: EngineFacts, facts: HostFacts) -> bool:
    """Of the builds that the manifest names for other hardware none is sent."""
    backend = backend_named(build.backend)
    return backend is None or backend.hardware.missing(facts.gpu.gpus, backend.title) is None


def _lacking(
    build: EngineFacts, image: OciImage, observation: Observation, pushed: Pushed, images: Images
) -> Lacking:
    name = build.image or ""
    artifact = image_artifact(
        image,
        name,
        images.origin(pushed.archives[name]),
        build.layers_there or 0,
        images.here,
    )
    return Lacking(
        key=f"image {name}",
        artifact=artifact,
        places=image_places(artifact, observation.layout.images),
        mode="push",
        instances=(),
    )


def _coming(build: EngineFacts, image: OciImage, facts: HostFacts) -> EngineFacts:
    """Raises ImageError where it is of no use there."""
    if (reason := unusable_image(image, facts)) is not None:
        raise ImageError(f"this machine's {reason}", _SAVE_ANEW if "zstd" in reason else "")
    entrypoint = build.entrypoint or image.entrypoint
    if not entrypoint:
        raise ImageError("it has no ENTRYPOINT; state {image: …, entrypoint: […]}")
    return frozen.replace(
        build,
        error=None,
        state=image_id(image, facts.docker.store),
        entrypoint=entrypoint,
        user=image.user,
        coming=True,
    )


def unusable_image(image: OciImage, facts: HostFacts) -> str | None:
    """Why a host can do nothing with it, as a clause."""
    architecture = _ARCHITECTURES.get(facts.arch, facts.arch)
    if image.architecture not in ("", architecture):
        return f"is built for {image.architecture}, and the host is {facts.arch}"
    version = facts.docker.version or ""
    major = version.partition(".")[0]
    if any(x.is_zstd for x in image.layers) and major.isdigit() and int(major) < _READS_ZSTD:
        return f"has layers that Docker {version} there cannot read: they are compressed with zstd"
    return None


def _told(build: EngineFacts, error: ImageError) -> EngineFacts:
    hint = f". {error.hint.rstrip('.')}" if error.hint else ""
    return frozen.replace(build, error=f"{build.error}, and {error.reason}{hint}")
