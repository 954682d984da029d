"""Makes and checks a bundle for the command line: reads the manifest, says how it goes on."""

import sys
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from xgen_deploy.apply.transfer_progress import TransferProgress
from xgen_deploy.audit.git import git_commit, origin_of
from xgen_deploy.backends.registry import engine_words
from xgen_deploy.bounded_json import read_json
from xgen_deploy.bundle.create import Making, Order
from xgen_deploy.bundle.read import Bundle, Damage
from xgen_deploy.bundle.report import names_of
from xgen_deploy.bundle.unpack import unpack
from xgen_deploy.bundle.write import Written
from xgen_deploy.cli.opening import refuse_saved_plan
from xgen_deploy.errors import UsageError, XgenError
from xgen_deploy.hub.catalog import Relayed
from xgen_deploy.hub.local_digests import cache_folder
from xgen_deploy.hub.locked import LockedSources
from xgen_deploy.images.local_images import LocalImages
from xgen_deploy.manifest.expand_home import expand_home
from xgen_deploy.manifest.fleet_file import read_fleet
from xgen_deploy.manifest.load import checked_site, read
from xgen_deploy.resolve.locked import with_locked
from xgen_deploy.run.local_sources import with_local_sources
from xgen_deploy.run.this_machine import this_machine
from xgen_deploy.secrets.hub import hub_access, site_catalog
from xgen_deploy.secrets.registry import registry_login
from xgen_deploy.secrets.resolver import SecretResolver
from xgen_deploy.sizes import size_text
from xgen_deploy.state.artifact import Artifact
from xgen_deploy.state.facts import HostFacts
from xgen_deploy.state.field_types import size, size_bytes
from xgen_deploy.state.have import Have, HostHave
from xgen_deploy.state.transfer import Access
from xgen_deploy.transfer.host_transfer import Tell, TransferEvent
from xgen_deploy.transfer.local_store import HERE
from xgen_deploy.visible import printable

_EVERY = 1 << 30
_HAVE = 64 << 20


def make_bundle(
    manifest: str, inventory: tuple[str, ...], variables: tuple[str, ...], order: Order
) -> Written:
    """Raises XgenError."""
    refuse_saved_plan(manifest)
    reading = read(manifest, engine_words(), inventory=inventory, variables=variables)
    site = with_locked(expand_home(checked_site(reading), this_machine().home))
    secrets = SecretResolver(site)
    token, proxy, ca = hub_access(site, secrets, commands=True)
    catalog: Relayed = site_catalog(site, secrets, commands=True)
    if site.lock is not None:
        catalog = LockedSources(site.lock, site.fetch, catalog)
    making = Making(
        reading=reading,
        site=with_local_sources(site, lambda: catalog),
        catalog=catalog,
        access=Access(token=token, proxy=proxy, ca=ca),
        images=LocalImages(cache_folder() / "images"),
        login=partial(registry_login, site, secrets),
        git=git_commit(manifest),
        origin=origin_of(manifest),
        tell=_fetching,
        told=_Counter("written").add,
    )
    try:
        return making.make(order)
    except OSError as error:
        what = error.filename or order.output
        raise XgenError(f"{what}: {error.strerror or error}") from None


def written_lines(written: Written) -> list[str]:
    index = written.index
    total = sum(path.stat().st_size for path in written.files)
    names = ", ".join(str(path) for path in written.files)
    signed = (
        "signed" if written.signed else "not signed: `--sign KEY` lets the site know whose it is"
    )
    encrypted = ", encrypted" if written.encrypted else ""
    lines = [f"{names}  {size_text(total)}, serial {index.serial}, {signed}{encrypted}"]
    if written.resumed:
        lines.append(f"  {size_text(written.resumed)} were there from before")
    if written.bootstrap is not None:
        lines.append(f"  {written.bootstrap}  for a site that has no xgen-deploy yet")
    lines += [f"  the site provides  {needed}" for needed in index.needed]
    lines += [f"  not in it          {lacking}" for lacking in index.lacking]
    return lines


def damages(bundle: Bundle) -> list[Damage]:
    """Reads all of it. Raises XgenError."""
    counter, found = _Counter("read"), []
    try:
        for got in bundle.damages():
            if isinstance(got, Damage):
                found.append(got)
            else:
                counter.add(got)
    except OSError as error:
        raise XgenError(f"{error.filename or bundle.path}: {error.strerror or error}") from None
    return found


def verified_lines(bundle: Bundle, found: Sequence[Damage]) -> list[str]:
    if found:
        names, count = names_of(bundle.index), len(found)
        whole = f"{bundle.path.name} is damaged in {count} place{'s'[: count != 1]}; copy it again"
        return [*(_damage(damage, names) for damage in found), whole]
    by = f"signed by {bundle.signer}" if bundle.signer is not None else "not signed"
    all_of_it = size_text(bundle.index.size)
    return [f"{bundle.path.name} is whole: {all_of_it}, serial {bundle.index.serial}, {by}"]


def unpacked_lines(bundle: Bundle, folder: str) -> list[str]:
    """What was taken out."""
    try:
        return [f"{folder}/{name}" for name in unpack(bundle, Path(folder))]
    except OSError as error:
        raise XgenError(f"{error.filename or folder}: {error.strerror or error}") from None


def what_is_had(path: str) -> Mapping[str, HostHave]:
    """By host, of a file that `models --have` wrote. Raises UsageError."""
    try:
        with Path(path).open("rb") as file:
            content = file.read(_HAVE + 1)
        have = Have.model_validate(read_json(content, _HAVE))
    except OSError as error:
        raise UsageError(f"--have: {path} cannot be read: {error.strerror}") from None
    except ValueError:
        raise UsageError(f"--have: {path} is not what `models --have` writes") from None
    return have.hosts


def seen_fleet(path: str) -> Mapping[str, HostFacts]:
    """By host. Raises XgenError."""
    recorded = read_fleet(path).recorded
    if not recorded:
        raise UsageError(f"--fleet: {path} is not what `gpus --json` prints")
    return recorded


def size_option(option: str, text: str | None) -> int | None:
    """Raises UsageError."""
    if text is None:
        return None
    try:
        return size_bytes(size(text))
    except ValueError as error:
        raise UsageError(f"{option}: {error}") from None


def _damage(damage: Damage, names: dict[str, str]) -> str:
    where = ", ".join(
        f"{e.path.name} from byte {e.start} to {e.start + e.length}" for e in damage.extents
    )
    name = names.get(damage.blob.sha256, damage.blob.sha256)
    return f"damaged: {name}, chunk {damage.chunk + 1} of {len(damage.blob.chunks)} ({where})"


def _fetching(artifact: Artifact) -> Tell:
    """Says on standard error how a model comes to this machine."""
    progress = TransferProgress(HERE, artifact.name, artifact.size, lambda e: _say(e.text))

    def tell(host: str, event: TransferEvent) -> None:
        del host
        progress(event)

    return tell


class _Counter:
    """Says on standard error how many bytes were done, every GiB."""

    def __init__(self, what: str) -> None:
        self._what, self._count, self._told, self._began = what, 0, 0, time.monotonic()

    def add(self, count: int) -> None:
        self._count += count
        if self._count - self._told >= _EVERY:
            self._told = self._count
            rate = self._count / max(0.001, time.monotonic() - self._began)
            _say(f"{size_text(self._count)} {self._what}, {size_text(rate)}/s")


def _say(text: str) -> None:
    print(printable(text), file=sys.stderr)
