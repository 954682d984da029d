"""How most commands begin: read the site, make connections to its hosts."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import click

from xgen_deploy import frozen
from xgen_deploy.audit.git import origin_of
from xgen_deploy.backends.registry import engine_words
from xgen_deploy.cli.options import Settings
from xgen_deploy.errors import UsageError
from xgen_deploy.manifest.limit import limit
from xgen_deploy.manifest.load import load_site
from xgen_deploy.run.run import Run, run_on
from xgen_deploy.state.site import Site
from xgen_deploy.transport.options import Options

if TYPE_CHECKING:
    from xgen_deploy.hub.catalog import Sources


def read_site(settings: Settings, edited: Mapping[str, bytes] = MappingProxyType({})) -> Site:
    """`edited` files are read as they would be. Raises ManifestError with every problem, before any
    host is contacted."""
    refuse_saved_plan(settings.manifest)
    site = load_site(
        settings.manifest,
        engine_words(),
        inventory=settings.inventory,
        variables=settings.variables,
        edited=edited,
    )
    return limit(site, settings.limit) if settings.limit else site


def refuse_saved_plan(path: str) -> None:
    """Raises UsageError."""
    start = b'{"xgen_plan"'
    try:
        with Path(path).open("rb") as file:
            saved = file.read(len(start)) == start
    except OSError:
        return
    if saved:
        raise UsageError(f"{path} is a saved plan; only `apply` and `show` take one")


@contextmanager
def open_run(settings: Settings, *, brings: bool = True) -> Iterator[Run]:
    """A run over the manifest on the command line. A command that brings nothing to hosts works
    without the files of this machine that they get."""
    if settings.bundle is not None:
        from xgen_deploy.cli.bundled import open_bundled  # seldom

        with open_bundled(settings) as run:
            yield run.placed()
        return
    with run_for(read_site(settings), settings, brings=brings) as run:
        yield run.placed()


@contextmanager
def open_run_or_fleet(settings: Settings, fleet: str | None) -> Iterator[Run]:
    """The same, over the fleet in a file where one is named."""
    if fleet is None:
        with open_run(settings) as run:
            yield run
        return
    from xgen_deploy.manifest.fleet_file import read_fleet
    from xgen_deploy.run.fleet_run import run_on_fleet

    yield run_on_fleet(read_site(settings), read_fleet(fleet)).placed()


@contextmanager
def run_for(site: Site, settings: Settings, *, brings: bool = True) -> Iterator[Run]:
    """A run over another site, such as a saved plan's."""
    options = connecting(site, settings)
    with run_on(site, options, partial(_catalog, site), brings=brings) as run:
        yield run


def connecting(site: Site, settings: Settings) -> Options:
    """How hosts are connected to."""
    return Options(
        ssh_config=settings.ssh_config,
        accept_new_host_keys=settings.accept_new_host_keys,
        become_password=_password(settings),
        runtime=site.runtime,
    )


def find_origin(run: Run) -> None:
    """Beforehand, for `with_origin`."""
    if run.site.origin is None:
        origin_of(run.site.manifest_file)


def with_origin(run: Run) -> Run:
    """The same with where its manifest comes from, unless a saved plan knows."""
    origin = run.site.origin or origin_of(run.site.manifest_file)
    return run.over(frozen.replace(run.site, origin=origin))


def _catalog(site: Site) -> "Sources":
    """Without a secret's `command:`, which is for what changes hosts."""
    from xgen_deploy.hub.locked import LockedSources
    from xgen_deploy.secrets.hub import site_catalog
    from xgen_deploy.secrets.resolver import SecretResolver

    catalog = site_catalog(site, SecretResolver(site), commands=False)
    return catalog if site.lock is None else LockedSources(site.lock, site.fetch, catalog)


def _password(settings: Settings) -> str | None:
    if not settings.ask_become_pass:
        return None
    return str(click.prompt("sudo password", hide_input=True, err=True))
