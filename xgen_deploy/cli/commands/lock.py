"""`xgen-deploy lock`: writes what a manifest's sources mean into a file beside it."""

from collections.abc import Sequence
from pathlib import Path

import click

from xgen_deploy.cli.documents.lock import LockDocument, LockedFileChange, LockedSource
from xgen_deploy.cli.manifest_command import ManifestCommand
from xgen_deploy.cli.names import unknown
from xgen_deploy.cli.opening import read_site
from xgen_deploy.cli.options import Settings, host_options
from xgen_deploy.cli.saved_file import check_writable, write_file
from xgen_deploy.cli.screens.lock import lock_lines
from xgen_deploy.cli.screens.screen import Screen
from xgen_deploy.errors import XgenError
from xgen_deploy.hub.locking import Change, NotLocked, by_length, file_changes, relocked
from xgen_deploy.manifest.lock_file import lock_text
from xgen_deploy.resolve.locked import lock_requests
from xgen_deploy.secrets.hub import site_catalog
from xgen_deploy.secrets.resolver import SecretResolver
from xgen_deploy.state.lock_file import LockedModel, LockFile, lock_path
from xgen_deploy.state.site import Site

_FOR_ALL = 0o666  # as far as the umask lets: it belongs in the repository


@click.command("lock", cls=ManifestCommand)
@click.option(
    "--update",
    multiple=True,
    metavar="MODEL",
    help="Ask the sources of this model again and take what they have now; repeatable.",
)
@host_options
def command(settings: Settings, update: tuple[str, ...]) -> int:
    """Write what the sources of MANIFEST mean into NAME.lock.yaml beside it.

    Of each source the commit and every file's size and digest. From then on `plan`, `fetch` and
    `apply` take exactly these and do not ask the hub. What is locked already stays as it is: only
    --update moves it, and shows what moved. No host is contacted.
    """
    site = read_site(settings)
    models = {config.model for config in site.declared}
    for name in update:
        if name not in models:
            raise unknown("model", name, models)
    path = lock_path(settings.manifest)
    check_writable(path)
    changes = _changes(site, frozenset(update))
    lock = LockFile(models=tuple(c.now for c in changes if c.now is not None))
    written = lock != (site.lock or LockFile()) or not Path(path).exists()
    if written:
        write_file(path, lock_text(lock, settings.manifest), mode=_FOR_ALL)
    Screen(settings).lines(lock_lines(path, changes, written=written))
    Screen(settings).value(
        LockDocument(file=path, written=written, sources=tuple(map(_source, changes)))
    )
    return 0


def _changes(site: Site, update: frozenset[str]) -> tuple[Change, ...]:
    """Raises XgenError."""
    limited = {config.model for config in site.declared}

    def asked(before: LockedModel | None, models: Sequence[str]) -> bool:
        if before is None:
            return not limited.isdisjoint(models)
        return not update.isdisjoint(models)

    catalog = site_catalog(site, SecretResolver(site), commands=True)
    try:
        return relocked(site.lock or LockFile(), lock_requests(site), asked, catalog)
    except NotLocked as error:
        hint = f"\n  {error.hint}" if error.hint else ""
        what = error.request.local or error.request.source
        reason = f"{what} cannot be locked: {error.reason}{hint}"
        raise XgenError(f"{reason}\nNothing was written.") from None


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
