"""A run whose files all come from a bundle."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from xgen_deploy.backends.registry import engine_words
from xgen_deploy.bundle.catalog import BundleCatalog
from xgen_deploy.bundle.image_catalog import BundleImages
from xgen_deploy.bundle.read import Bundle, Trust, open_bundle
from xgen_deploy.bundle.site import behind_wall, bundled_site
from xgen_deploy.cli.opening import connecting, read_site
from xgen_deploy.cli.options import Settings
from xgen_deploy.errors import UsageError
from xgen_deploy.manifest.limit import limit
from xgen_deploy.run.run import Run, run_on
from xgen_deploy.state.site import Site


@contextmanager
def open_bundled(settings: Settings) -> Iterator[Run]:
    """Over the bundle's manifest, or the named one."""
    bundle = open_bundle(
        settings.bundle or "", Trust(settings.allowed_signers, settings.allow_unsigned)
    )
    with tempfile.TemporaryDirectory(prefix="xgen-bundle-") as folder:
        site = _site(bundle, settings, Path(folder))
    base = Path(settings.manifest).absolute().parent if settings.manifest else Path.cwd()
    catalog = BundleCatalog(bundle, str(base))
    images = BundleImages(bundle)
    options = connecting(site, settings)
    with run_on(site, options, lambda: catalog, catalog.held, lambda: images) as run:
        yield run


def _site(bundle: Bundle, settings: Settings, folder: Path) -> Site:
    if settings.manifest:
        site = behind_wall(read_site(settings), bundle, older=settings.older)
        if site.project != bundle.index.project:
            raise UsageError(
                f"refused: {bundle.path} is of project {bundle.index.project}, and "
                f"{settings.manifest} of {site.project}"
            )
        return site
    site = bundled_site(
        bundle,
        engine_words(),
        folder,
        inventory=settings.inventory,
        variables=settings.variables,
        older=settings.older,
    )
    return limit(site, settings.limit) if settings.limit else site
