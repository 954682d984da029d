"""One run of a command: a site, a connection to each of its hosts, and how they are observed."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from importlib import import_module
from threading import Event
from typing import TYPE_CHECKING

from xgen_deploy import frozen
from xgen_deploy.manifest.expand_home import expand_home
from xgen_deploy.probe.observe import observe, prepare
from xgen_deploy.resolve.locked import keys_to_bring, with_locked
from xgen_deploy.resolve.request import NO_IMAGES, probe_request
from xgen_deploy.run.local_sources import with_local_sources
from xgen_deploy.run.this_machine import this_machine
from xgen_deploy.state.control_node import ControlNode
from xgen_deploy.state.facts import HostFacts
from xgen_deploy.state.layout import Layout
from xgen_deploy.state.observation import Observation, Observed, facts_of, observation_of
from xgen_deploy.state.site import Site
from xgen_deploy.transport.base import Connection
from xgen_deploy.transport.connect import Connector
from xgen_deploy.transport.fleet import each
from xgen_deploy.transport.options import Options
from xgen_deploy.transport.read_only import ReadOnly

if TYPE_CHECKING:
    from xgen_deploy.hub.catalog import Sources
    from xgen_deploy.images.local_images import Images
    from xgen_deploy.render.instance import Renderer
    from xgen_deploy.run.pushed_images import Pushed
    from xgen_deploy.state.transfer import WantedFile
    from xgen_deploy.transfer.local_file import Held


@dataclass(frozen=True)
class Run:
    """A site with a connection for each of its hosts. `held` is where files lie that are in a
    bundle; there is then no other place to take any from. `images` has those for hosts."""

    site: Site
    control_node: ControlNode
    connections: dict[str, Connection]
    catalog: "Callable[[], Sources] | None" = None
    held: "Callable[[WantedFile], Held] | None" = None
    images: "Callable[[], Images] | None" = None

    def over(self, site: Site) -> "Run":
        """The same hosts with another site."""
        return replace(self, site=site)

    def paced(self, limit_rate: int) -> "Run":
        """The same with that many bytes a second for each transfer; 0: as the manifest says."""
        if not limit_rate:
            return self
        fetch = frozen.replace(self.site.fetch, limit_rate=str(limit_rate))
        return self.over(frozen.replace(self.site, fetch=fetch))

    def placed(self) -> "Run":
        """The same with each replica of a model that is spread over a group on one host, which
        takes a look at all of them first."""
        if not any(config.spread for config in self.site.declared):
            return self
        from xgen_deploy.resolve.choosing.spread import unplaced, with_spread  # seldom

        observed = self.observe()
        if unplaced(self.site, observed):
            observed = self.observe(to_bring=True)
        return self.over(with_spread(self.site, observed))

    def layout(self, host: str) -> Layout:
        """The project's paths and names on a host."""
        return self.control_node.layout(self.site, self.site.hosts[host])

    @cached_property
    def renderer(self) -> "Renderer":
        """Reads the templates, once, and only for commands that render."""
        from xgen_deploy.render.instance import Renderer
        from xgen_deploy.render.templates import Templates
        from xgen_deploy.run.template_files import read_templates

        return Renderer(Templates(read_templates()), self.control_node.python)

    def observe(
        self,
        *,
        health: bool = False,
        among: frozenset[str] | None = None,
        preload: tuple[str, ...] = (),
        also: Callable[[], object] | None = None,
        to_bring: bool = False,
    ) -> Observed:
        """Observes all hosts at once, with one round trip each, through read-only connections.
        Modules in `preload` are imported meanwhile, which saves 0.1 s afterwards, and `also` is
        called. `to_bring`: models that are not there and can be brought are described from their
        source.
        """
        chosen = [ReadOnly(c) for n, c in self.connections.items() if among is None or n in among]
        prepared = Event()

        pushed = self._pushed() if to_bring else None

        def observe_host(connection: Connection) -> Observation:
            connection.connect()
            prepared.wait()
            return self._observe(connection, health=health, pushed=pushed)

        def meanwhile() -> None:
            prepare()
            prepared.set()
            for module in preload:
                import_module(module)
            if also is not None:
                also()

        observed: Observed = each(chosen, observe_host, meanwhile=meanwhile)
        if pushed is not None and self.images is not None:
            from xgen_deploy.run.pushed_images import with_lacking_images

            observed = with_lacking_images(observed, pushed, self.images())
        if self.site.lock is not None and self.site.lock.images:
            from xgen_deploy.run.pushed_images import told_of_lock

            observed = told_of_lock(observed, self.site)
        if not to_bring or self.catalog is None:
            return observed
        if not any(_lacks(self.site, n, f) for n, f in facts_of(observed).items()):
            return observed
        from xgen_deploy.hub.catalog import Relayed  # seldom
        from xgen_deploy.run.lacking import with_lacking
        from xgen_deploy.run.ways import SourcesByHosts

        sources = self.catalog()
        if isinstance(sources, Relayed):
            sources = SourcesByHosts(self.site, sources, observed, self.connections)
        return with_lacking(self.site, observed, sources)

    def _pushed(self) -> "Pushed | None":
        """None where this machine gives hosts no images."""
        if self.site.pull != "push" or self.images is None:
            return None
        from xgen_deploy.run.pushed_images import pushed_images  # seldom

        return pushed_images(self.site, self.images())

    def _observe(
        self, connection: Connection, *, health: bool, pushed: "Pushed | None" = None
    ) -> Observation:
        host = self.site.hosts[connection.name]
        layout = self.layout(host.name)
        looked_for = pushed.looked_for if pushed is not None else NO_IMAGES
        request = probe_request(self.site, host, layout, health=health, pushed=looked_for)
        return observation_of(host.name, observe(connection, request), layout)


def _lacks(site: Site, name: str, facts: HostFacts) -> bool:
    """Whether a host has not got something that might be brought."""
    host = site.hosts[name]
    builds = (e for e in facts.engines if e.binary in host.archives and e.state is None)
    return bool(keys_to_bring(site, host, facts)) or any(builds)


@contextmanager
def run_on(
    site: Site,
    options: Options,
    catalog: "Callable[[], Sources]",
    held: "Callable[[WantedFile], Held] | None" = None,
    images: "Callable[[], Images] | None" = None,
    *,
    brings: bool = True,
) -> Iterator[Run]:
    """A run over `site`, whose connections are closed at the end. `catalog` makes what knows the
    models' sources; it is called once, and only where one is looked at. Where nothing is brought,
    the files of this machine that hosts get need not be here."""
    control_node = this_machine()
    catalog = lru_cache(maxsize=1)(catalog)
    site = with_locked(expand_home(site, control_node.home))
    site = with_local_sources(site, catalog, needed=brings)
    connector = Connector(options)
    try:
        connections = {n: connector.connect(h) for n, h in site.hosts.items()}
        yield Run(site, control_node, connections, catalog, held, lru_cache(1)(images or _images))
    finally:
        connector.close()


def _images() -> "Images":
    """Of this machine."""
    from xgen_deploy.hub.local_digests import cache_folder
    from xgen_deploy.images.local_images import LocalImages

    return LocalImages(cache_folder() / "images")
