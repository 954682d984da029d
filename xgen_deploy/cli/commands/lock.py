"""`xgen-deploy lock`: writes what a manifest's sources mean into a file beside it."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import click

from xgen_deploy.cli.manifest_command import ManifestCommand
from xgen_deploy.cli.names import unknown
from xgen_deploy.cli.opening import read_site, run_for
from xgen_deploy.cli.options import Settings, host_options
from xgen_deploy.cli.saved_file import check_writable, write_file
from xgen_deploy.cli.screens.lock import lock_lines
from xgen_deploy.cli.screens.screen import Screen
from xgen_deploy.documents.lock import LockDocument, LockedFileChange, LockedPart, LockedSource
from xgen_deploy.errors import XgenError
from xgen_deploy.hub.catalog import Sources
from xgen_deploy.hub.local_digests import LocalDigests, cache_folder
from xgen_deploy.hub.locking import Change, NotLocked, by_length, file_changes, relocked
from xgen_deploy.images.local_images import LocalImages
from xgen_deploy.manifest.lock_file import lock_text
from xgen_deploy.resolve.locked import lock_requests
from xgen_deploy.run.lock_parts import (
    PartChange,
    archives_to_lock,
    images_to_lock,
    relocked_parts,
)
from xgen_deploy.run.ways import SourcesByHosts, SourcesOrHosts
from xgen_deploy.secrets.hub import site_catalog
from xgen_deploy.secrets.resolver import SecretResolver
from xgen_deploy.state.lock_file import (
    LockedArchive,
    LockedImage,
    LockedModel,
    LockFile,
    lock_path,
)
from xgen_deploy.state.site import Site

_FOR_ALL = 0o666  # as far as the umask lets: it belongs in the repository


@click.command("lock", cls=ManifestCommand)
@click.option(
    "--update",
    multiple=True,
    metavar="MODEL",
    help="Ask the sources of this model again and take what they have now; also an image or the "
    "archive of an engine build, by name; repeatable.",
)
@host_options
def command(settings: Settings, update: tuple[str, ...]) -> int:
    """Write what the sources of MANIFEST mean into NAME.lock.yaml beside it.

    Of each source the commit and every file's size and digest, of each image and engine build that
    this machine has its digest. From then on `plan`, `fetch`, `apply` and `bundle create` take
    exactly these and do not ask the hub. What is locked already stays as it is: only
    --update moves it, and shows what moved. No host is contacted, unless this
    machine does not reach a source: then it is asked by way of a host that does.
    """
    site = read_site(settings)
    models = {config.model for config in site.declared}
    known = {*models, *images_to_lock(site), *archives_to_lock(site)}
    for name in update:
        if name not in known:
            raise unknown("model, image or archive", name, known)
    path = lock_path(settings.manifest)
    check_writable(path)
    with _sources(site, settings) as sources:
        changes = _changes(site, frozenset(update), sources)
    parts = relocked_parts(
        site, update, LocalImages(cache_folder() / "images"), LocalDigests(cache_folder())
    )
    lock = LockFile(
        models=tuple(c.now for c in changes if c.now is not None),
        images=tuple(c.now for c in parts if isinstance(c.now, LockedImage)),
        archives=tuple(c.now for c in parts if isinstance(c.now, LockedArchive)),
    )
    written = lock != (site.lock or LockFile()) or not Path(path).exists()
    if written:
        write_file(path, lock_text(lock, settings.manifest), mode=_FOR_ALL)
    Screen(settings).lines(lock_lines(path, changes, parts, written=written))
    Screen(settings).value(
        LockDocument(
            file=path,
            written=written,
            sources=tuple(map(_source, changes)),
            parts=tuple(map(_part, parts)),
        )
    )
    return 0


@contextmanager
def _sources(site: Site, settings: Settings) -> Iterator[Sources]:
    """Hosts are looked at only for a source that does not answer from here."""
    catalog = site_catalog(site, SecretResolver(site), commands=True)
    with ExitStack() as opened:

        def hosts() -> Sources:
            run = opened.enter_context(run_for(site, settings, brings=False))
            return SourcesByHosts(run.site, catalog, run.observe(), run.connections)

        yield SourcesOrHosts(catalog, hosts)


def _changes(site: Site, update: frozenset[str], sources: Sources) -> tuple[Change, ...]:
    """Raises XgenError."""
    limited = {config.model for config in site.declared}

    def asked(before: LockedModel | None, models: Sequence[str]) -> bool:
        if before is None:
            return not limited.isdisjoint(models)
        return not update.isdisjoint(models)

    try:
        return relocked(site.lock or LockFile(), lock_requests(site), asked, sources)
    except NotLocked as error:
        hint = f"\n  {error.hint}" if error.hint else ""
        what = error.request.local or error.request.source
        reason = f"{what} cannot be locked: {error.reason}{hint}"
        raise XgenError(f"{reason}\nNothing was written.") from None


def _part(change: PartChange) -> LockedPart:
    return LockedPart(
        name=change.name,
        change=change.verdict,
        digest_before=change.before.identity if change.before else None,
        digest=change.now.identity if change.now else None,
        reason=change.reason or None,
    )


def _source(change: Change) -> LockedSource:
    entry = change.entry
    return LockedSource(
        models=entry.models,
        source=entry.local or entry.source,
        revision=entry.revision if entry.commit is not None else None,
        change=change.verdict,
        commit_before=change.before.commit if change.before else None,
        commit=change.now.commit if change.now else None,
        license=entry.license,
        files=len(entry.files),
        size=entry.size,
        by_length=by_length(entry),
        trusted=entry.trusted,
        changed_files=tuple(
            LockedFileChange(
                path=f.path,
                size_before=f.before.size if f.before else None,
                size=f.now.size if f.now else None,
            )
            for f in file_changes(change.before, change.now)
            if change.verdict == "moved"
        ),
    )
