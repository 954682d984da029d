"""Makes a bundle of a manifest."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from xgen_deploy import __version__
from xgen_deploy.bundle.bill import NAME as BILL
from xgen_deploy.bundle.bill import bill
from xgen_deploy.bundle.bootstrap import NAMESPACE as BOOTSTRAP
from xgen_deploy.bundle.bootstrap import write_bootstrap
from xgen_deploy.bundle.collect import Blobs, Collected, Collector
from xgen_deploy.bundle.collect_images import ImageCollector, left_to_hosts, needed_images
from xgen_deploy.bundle.encryption import check_keys, encrypt
from xgen_deploy.bundle.files import Wheels, packages
from xgen_deploy.bundle.fleet_check import Load, fleet_lines
from xgen_deploy.bundle.index import FilePart, ImagePart, Index, ManifestPart
from xgen_deploy.bundle.signature import sign
from xgen_deploy.bundle.write import Written, write_bundle
from xgen_deploy.errors import XgenError
from xgen_deploy.hub.catalog import Sources
from xgen_deploy.hub.local_digests import LocalDigests, cache_folder
from xgen_deploy.images.local_images import LocalImages
from xgen_deploy.manifest.carried import (
    INVENTORY,
    Carried,
    carried_files,
    carried_inventory,
    has_own_inventory,
)
from xgen_deploy.manifest.load import Reading
from xgen_deploy.secrets.registry import RegistryLogin
from xgen_deploy.state.artifact import Artifact
from xgen_deploy.state.facts import HostFacts
from xgen_deploy.state.have import HostHave
from xgen_deploy.state.origin import Origin
from xgen_deploy.state.secret_uses import HUB_TOKEN, PROXY, stated_references
from xgen_deploy.state.settings import SecretRef
from xgen_deploy.state.site import Site
from xgen_deploy.state.transfer import Access
from xgen_deploy.transfer.host_transfer import Tell


@dataclass(frozen=True, kw_only=True)
class Order:
    """What is to be made. `have` is what hosts have, `fleet` what was seen of them on the site,
    `volume_size` in bytes, `key` the file of the key to sign with, `encrypt_to` age's
    recipients or files of them. `serial` None: the time, as 14 digits."""

    output: Path
    key: str | None = None
    encrypt_to: tuple[str, ...] = ()
    serial: int | None = None
    volume_size: int | None = None
    addresses: bool = True
    wheels: Wheels = field(default_factory=Wheels)
    have: Mapping[str, HostHave] = field(default_factory=dict)
    fleet: Mapping[str, HostFacts] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Making:
    """A manifest as it was read, with what knows the sources of its models and images. `login` is
    for an image's registry, `told` is called with bytes that were written."""

    reading: Reading
    site: Site
    catalog: Sources
    access: Access
    images: LocalImages
    login: Callable[[str], RegistryLogin | None]
    git: str | None
    origin: Origin | None
    tell: Callable[[Artifact], Tell]
    told: Callable[[int], object]

    def make(self, order: Order) -> Written:
        """Raises XgenError and OSError."""
        if order.encrypt_to:
            check_keys(order.encrypt_to)
        blobs, key = Blobs(order.have), order.key
        index = self._index(order, blobs)
        written = write_bundle(
            index,
            blobs.sources,
            order.output,
            sign=None if key is None else lambda content: sign(content, key),
            volume_size=order.volume_size,
            tell=self.told,
        )
        bootstrap = write_bootstrap(
            order.output,
            index,
            blobs.sources,
            None if key is None else lambda content: sign(content, key, BOOTSTRAP),
        )
        encrypted = encrypt(written.volumes, order.encrypt_to) if order.encrypt_to else ()
        return replace(written, bootstrap=bootstrap, encrypted=encrypted)

    def _index(self, order: Order, blobs: Blobs) -> Index:
        now = datetime.now(UTC)
        manifest = self._manifest(blobs, addresses=order.addresses)
        digests = LocalDigests(cache_folder())
        collected = self._collected(blobs, digests)
        models = tuple(collected.models)
        images = ImageCollector(
            self.site, self.images, self.login, digests, blobs, order.fleet
        ).collected()
        files = order.wheels.add(blobs)
        files += tuple(packages(blobs, self.site.packages, digests))
        text = bill(self.site.project, models, images, files, manifest.files)
        files = (*files, FilePart(kind="bill", file=blobs.member(BILL, text.encode())))
        return Index(
            project=self.site.project,
            serial=order.serial if order.serial is not None else int(f"{now:%Y%m%d%H%M%S}"),
            created=f"{now:%Y-%m-%dT%H:%M:%SZ}",
            tool=__version__,
            git=self.git,
            origin=self.origin,
            manifest=manifest,
            models=models,
            images=images,
            files=files,
            needed=needed_references(self.site),
            lacking=self._lacking(order, collected, images),
            blobs=tuple(blobs.blobs.values()),
            volumes=(0,),
        )

    def _collected(self, blobs: Blobs, digests: LocalDigests) -> Collected:
        return Collector(
            site=self.site,
            folder=str(Path(self.reading.path).absolute().parent),
            catalog=self.catalog,
            access=self.access,
            digests=digests,
            blobs=blobs,
            tell=self.tell,
        ).models()

    def _lacking(
        self, order: Order, collected: Collected, images: tuple[ImagePart, ...]
    ) -> tuple[str, ...]:
        """What hosts need and the bundle has not got."""
        lines = [*collected.lacking, *left_to_hosts(self.site)]
        if order.fleet:
            needed = needed_images(self.site, order.fleet)
            on_hosts = {
                host: tuple(part for part in images if host in needed[part.name])
                for host in self.site.hosts
            }
            load = Load(collected.arriving, on_hosts)
            lines += fleet_lines(self.site, order.fleet, order.have, load)
        return tuple(dict.fromkeys(lines))

    def _manifest(self, blobs: Blobs, *, addresses: bool) -> ManifestPart:
        carried = carried_files(self.reading, self.site)
        name = _unused(carried)
        inventory = carried_inventory(self.reading, addresses=addresses)
        if not addresses and has_own_inventory(self.reading):
            raise XgenError(
                f"{self.reading.path} has its inventory within it, with its addresses: put it into "
                "a file of its own, or leave out --no-inventory"
            )
        members = [blobs.member(path, content) for path, content in carried.files.items()]
        if inventory is not None:
            members.append(blobs.member(name, inventory.encode()))
        return ManifestPart(
            main=carried.main,
            files=tuple(members),
            inventory=name if inventory is not None else None,
            addresses=addresses,
            variables=carried.variables,
        )


def needed_references(site: Site) -> tuple[str, ...]:
    """The secrets that are looked up where the bundle is applied. Those for the hub are not."""
    lines = []
    for use, references in stated_references(site).items():
        if use in (HUB_TOKEN, PROXY):
            continue
        owner = f"{use.host}/{use.owner}" if use.host else use.owner
        lines += [f"{_reference(r)} ({owner}: {use.field})" for r in references]
    return tuple(dict.fromkeys(sorted(lines)))


def _reference(reference: SecretRef) -> str:
    return ", ".join(f"{kind} {value}" for kind, value in reference.sources.items())


def _unused(carried: Carried) -> str:
    """A name for the inventory."""
    name = INVENTORY
    while name in carried.files:
        name = f"bundle-{name}"
    return name
