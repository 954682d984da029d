"""The images of a manifest, as blobs on this machine that go into a bundle."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from xgen_deploy.backends.registry import backend_named
from xgen_deploy.bundle.collect import Blobs
from xgen_deploy.bundle.index import ImagePart
from xgen_deploy.errors import XgenError
from xgen_deploy.files.image_blobs import looked_for
from xgen_deploy.hub.local_digests import LocalDigests
from xgen_deploy.images.local_images import LocalImages
from xgen_deploy.images.oci_layout import ImageError
from xgen_deploy.images.this_docker import NotHere
from xgen_deploy.resolve.gateway_needs import gateway_binaries, gateway_image, is_gateway_host
from xgen_deploy.resolve.request import engine_requests
from xgen_deploy.run.pushed_images import archives_of, check_locked_image
from xgen_deploy.secrets.registry import RegistryLogin
from xgen_deploy.state.facts import EngineRequest, HostFacts
from xgen_deploy.state.host import Host
from xgen_deploy.state.image_name import has_digest
from xgen_deploy.state.oci_image import OciImage
from xgen_deploy.state.site import Site


@dataclass(frozen=True)
class ImageCollector:
    """Images are those of archives or of this machine's Docker, which pulls what it lacks where the
    manifest leaves that to hosts."""

    site: Site
    images: LocalImages
    login: Callable[[str], RegistryLogin | None]
    digests: LocalDigests
    blobs: Blobs
    fleet: Mapping[str, HostFacts]

    def collected(self) -> tuple[ImagePart, ...]:
        """Raises XgenError where one cannot be had."""
        if self.site.pull == "never":
            return ()
        archives = archives_of(self.site)
        return tuple(
            self._part(name, archives[name], hosts)
            for name, hosts in needed_images(self.site, self.fleet).items()
        )

    def _part(self, name: str, archive: str | None, hosts: tuple[str, ...]) -> ImagePart:
        if has_digest(name):
            raise XgenError(
                f"{hosts[0]}: image {name} cannot go into a bundle, for only a registry gives an "
                "image its digest\n  State it with a tag; a bundle proves its images itself."
            )
        try:
            image = self._image(name, archive)
            check_locked_image(self.site, name, looked_for(image))
        except ImageError as error:
            hint = f"\n  {error.hint}" if error.hint else ""
            raise XgenError(f"{hosts[0]}: image {name}: {error.reason}{hint}") from None
        had = self.blobs.layers_had(image.diff_ids, hosts)
        for blob in (image.manifest, image.config, *(x.blob for x in image.layers[had:])):
            self.blobs.add_file(Path(self.images.here(blob.digest)), self.digests)
        for layer in image.layers[:had]:
            self.blobs.leave_out(layer.blob.sha256, layer.blob.size)
        return ImagePart(name=name, image=image, origin=self.images.origin(archive))

    def _image(self, name: str, archive: str | None) -> OciImage:
        """Raises ImageError."""
        try:
            return self.images.image(name, archive)
        except NotHere:
            if self.site.pull != "missing":
                raise
        login = self.login(name)
        known = None if login is None else (login.user, login.password.reveal())
        return self.images.pulled(name, known)


def needed_images(site: Site, fleet: Mapping[str, HostFacts]) -> dict[str, tuple[str, ...]]:
    """With the hosts that may run them, as far as `fleet` tells what their hardware is."""
    needed: dict[str, dict[str, None]] = {}
    for host in site.hosts.values():
        for request in engine_requests(site, host):
            if request.image is not None and _of_use(request, fleet.get(host.name)):
                needed.setdefault(request.image, {})[host.name] = None
    return {name: tuple(hosts) for name, hosts in needed.items()}


def _of_use(request: EngineRequest, facts: HostFacts | None) -> bool:
    backend = backend_named(request.backend)
    if backend is None or facts is None:
        return True
    return backend.hardware.missing(facts.gpu.gpus, backend.title) is None


def left_to_hosts(site: Site) -> Iterator[str]:
    """Engines, images and gateways that nobody brings."""
    for host in site.hosts.values():
        for request in engine_requests(site, host):
            if request.image is not None and site.pull == "never":
                yield f"{host.name}: image {request.image}, which `pull: never` leaves to the host"
            if request.binary is not None and request.binary not in host.archives:
                yield f"{host.name}: the engine {request.binary}"
        yield from _gateway(site, host)


def _gateway(site: Site, host: Host) -> Iterator[str]:
    if is_gateway_host(site, host.name) and gateway_image(site, host) is None:
        yield f"{host.name}: HAProxy, at {' or '.join(gateway_binaries(site, host))}"
