"""Files of this machine that hosts are to get: where they will lie there, by their content."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from xgen_deploy.frozen import replace
from xgen_deploy.state.site import Site

if TYPE_CHECKING:
    from xgen_deploy.hub.catalog import Sources


def with_local_sources(site: Site, catalog: "Callable[[], Sources]") -> Site:
    """The site with the place on the host as the source of each. Raises XgenError where a file
    cannot be read here."""
    if all(config.local is None for config in site.declared):
        return site
    from xgen_deploy.run.local_place import placed  # seldom

    known = catalog()
    return replace(site, declared=tuple(placed(config, site, known) for config in site.declared))
