"""Sources that this machine does not reach, asked by way of a host that does."""

from collections.abc import Callable, Mapping
from functools import lru_cache

from xgen_deploy.hub.asking import HubError
from xgen_deploy.hub.catalog import Described, Relayed, Request, Sources, Way
from xgen_deploy.state.observation import Observed, facts_of
from xgen_deploy.state.site import Site
from xgen_deploy.transfer.relay import Relay
from xgen_deploy.transport.base import Connection


class SourcesByHosts:
    """Asks `sources` first, and only where nothing answers from here a host that reached it."""

    def __init__(
        self,
        site: Site,
        sources: Relayed,
        observed: Observed,
        connections: Mapping[str, Connection],
    ) -> None:
        self._site, self._sources, self._connections = site, sources, connections
        self._reached = {n: facts.reached or () for n, facts in facts_of(observed).items()}
        self._by_host: dict[str, Sources] = {}

    def describe(self, request: Request) -> Described:
        """Raises HubError."""
        try:
            return self._sources.describe(request)
        except HubError as error:
            if not error.unreachable:
                raise
            silent = error
        for host in self._that_reach(request.source):
            try:
                return self._by(host).describe(request)
            except HubError as error:
                if not error.unreachable:
                    raise
        raise silent

    def _that_reach(self, source: str) -> list[str]:
        place = self._site.fetch.contact(source)
        return [name for name, reached in self._reached.items() if place in reached]

    def _by(self, host: str) -> Sources:
        if host not in self._by_host:
            way = Way(host, Relay(self._connections[host]))
            self._by_host[host] = self._sources.by_way_of(way)
        return self._by_host[host]


class SourcesOrHosts:
    """For a command that asks no host as a rule: `hosts`, which makes a SourcesByHosts, is called
    once, and only where nothing answers from here."""

    def __init__(self, sources: Sources, hosts: Callable[[], Sources]) -> None:
        self._sources, self._hosts = sources, lru_cache(maxsize=1)(hosts)

    def describe(self, request: Request) -> Described:
        """Raises HubError."""
        try:
            return self._sources.describe(request)
        except HubError as error:
            if not error.unreachable:
                raise
        return self._hosts().describe(request)
