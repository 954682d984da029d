"""The hosts whose models are meant: what these need is told by the whole manifest all the same."""

from xgen_deploy.cli.options import Settings
from xgen_deploy.manifest.limit import limit
from xgen_deploy.state.site import Site


def chosen_hosts(site: Site, settings: Settings) -> frozenset[str]:
    """Those of `--limit`. Raises UsageError for a name that is not known."""
    return frozenset(limit(site, settings.limit).hosts if settings.limit else site.hosts)
