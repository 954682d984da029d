"""Files of this machine that hosts are to get: where they will lie there, by their content."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from xgen_deploy.errors import XgenError
from xgen_deploy.frozen import replace
from xgen_deploy.state.site import Site

if TYPE_CHECKING:
    from xgen_deploy.hub.catalog import Sources


def with_local_sources(
    site: Site, catalog: "Callable[[], Sources]", *, needed: bool = True
) -> Site:
    """The site with the place on the host as the source of each. Where a file cannot be read here,
    XgenError is raised if they are `needed`; else no place is known, and none is looked for."""
    try:
        return _placed(site, catalog)
    except XgenError:
        if needed:
            raise
        return site


def _placed(site: Site, catalog: "Callable[[], Sources]") -> Site:
    if any(config.local is not None for config in site.declared):
        from xgen_deploy.run.local_place import placed  # seldom

        known = catalog()
        site = replace(
            site, declared=tuple(placed(config, site, known) for config in site.declared)
        )
    if any(host.archives for host in site.hosts.values()):
        from xgen_deploy.run.engine_archives import with_placed_archives  # seldom

        site = with_placed_archives(site, catalog())
    return site
