"""What of a site a user sees: the hosts and models that he is limited to. Pure."""

from collections.abc import Sequence

from xgen_deploy.manifest.limit import restricted
from xgen_deploy.serve.security.users import User
from xgen_deploy.state.observation import Observed
from xgen_deploy.state.site import Site


def seen_by(user: User, site: Site) -> Site:
    """The part of a site; its hosts may be none."""
    if user.hosts is None and user.models is None:
        return site
    hosts = None if user.hosts is None else _hosts(site, user.hosts)
    return restricted(site, hosts=hosts, models=user.models)


def observed_of(site: Site, observed: Observed) -> Observed:
    """What the hosts of a part say."""
    return {name: o for name, o in observed.items() if name in site.hosts}


def hosts_of(user: User, site: Site) -> frozenset[str]:
    """Those that he may put something on, whatever runs there."""
    known = frozenset(site.hosts)
    return known if user.hosts is None else known & frozenset(_hosts(site, user.hosts))


def _hosts(site: Site, names: Sequence[str]) -> list[str]:
    """A host of this name is meant before a group of it."""
    expanded = ((n,) if n in site.hosts else site.groups.get(n, ()) for n in names)
    return [host for hosts in expanded for host in hosts]
