"""What a lock file says of images and archives of engine builds: as this machine has them."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from xgen_deploy.errors import XgenError
from xgen_deploy.hub.local_digests import LocalDigests
from xgen_deploy.images.local_images import LocalImages
from xgen_deploy.images.oci_layout import ImageError
from xgen_deploy.resolve.request import engine_requests
from xgen_deploy.run.pushed_images import archives_of
from xgen_deploy.state.image_name import has_digest
from xgen_deploy.state.lock_file import LockedArchive, LockedImage, LockFile
from xgen_deploy.state.site import Site

Part = LockedImage | LockedArchive
Verdict = Literal["added", "kept", "same", "moved", "removed", "absent"]


@dataclass(frozen=True)
class PartChange:
    """Verdicts as of sources (hub/locking.py); `absent`: this machine has it not, for this
    `reason`, and it is not held to anything."""

    verdict: Verdict
    name: str
    before: Part | None = None
    now: Part | None = None
    reason: str = ""


def images_to_lock(site: Site) -> dict[str, str | None]:
    """With their archives. A name with a digest is locked already, and what is never brought is
    the hosts' own."""
    archives = {} if site.pull == "never" else archives_of(site)
    requests = (r for host in site.hosts.values() for r in engine_requests(site, host))
    names = dict.fromkeys(r.image for r in requests if r.image is not None)
    return {n: archives[n] for n in sorted(names) if n in archives and not has_digest(n)}


def archives_to_lock(site: Site) -> dict[str, str]:
    """Paths by their names."""
    stated = (a.archive for host in site.hosts.values() for a in host.archives.values())
    return {Path(path).name: path for path in sorted(stated)}


def relocked_parts(
    site: Site, update: Collection[str], images: LocalImages, digests: LocalDigests
) -> tuple[PartChange, ...]:
    """Raises XgenError where one of `update` cannot be had."""
    old = site.lock or LockFile()
    changes = [
        _image(old.image(name), name, archive, update, images)
        for name, archive in images_to_lock(site).items()
    ]
    changes += [
        _archive(old.archive(name), name, path, update, digests)
        for name, path in archives_to_lock(site).items()
    ]
    return (*changes, *_gone(old, {change.name for change in changes}, limited=_is_limited(site)))


def _is_limited(site: Site) -> bool:
    return bool(site.other_hosts or site.elsewhere)


def _gone(old: LockFile, named: Collection[str], *, limited: bool) -> Iterator[PartChange]:
    """What `--limit` cut off stays."""
    parts: tuple[Part, ...] = (*old.images, *old.archives)
    for part in parts:
        if part.name not in named and limited:
            yield PartChange("kept", part.name, part, part)
        elif part.name not in named:
            yield PartChange("removed", part.name, part)


def _image(
    before: LockedImage | None,
    name: str,
    archive: str | None,
    update: Collection[str],
    images: LocalImages,
) -> PartChange:
    if before is not None and name not in update:
        return PartChange("kept", name, before, before)
    try:
        content = images.looked_for(name, archive)
        now = LockedImage(name=name, digest=images.registry_digest(name, archive), content=content)
    except ImageError as error:
        if name in update:
            hint = f"\n  {error.hint}" if error.hint else ""
            raise XgenError(f"{name} cannot be locked: {error.reason}{hint}") from None
        return PartChange("absent", name, reason=error.reason)
    return _changed(name, before, now)


def _archive(
    before: LockedArchive | None,
    name: str,
    path: str,
    update: Collection[str],
    digests: LocalDigests,
) -> PartChange:
    if before is not None and name not in update:
        return PartChange("kept", name, before, before)
    try:
        file = digests.of(Path(path).expanduser())
    except OSError as error:
        raise XgenError(f"{path} cannot be locked: {error.strerror}") from None
    return _changed(name, before, LockedArchive(name=name, sha256=file.sha256, size=file.size))


def _changed(name: str, before: Part | None, now: Part) -> PartChange:
    if before is None:
        return PartChange("added", name, None, now)
    return PartChange("same" if before == now else "moved", name, before, now)
