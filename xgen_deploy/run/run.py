"""What most commands begin with: the site is read, its hosts are connected, then looked at."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from threading import Event

import click

from xgen_deploy.cli.options import Settings
from xgen_deploy.errors import UsageError, XgenError
from xgen_deploy.manifest.limit import limit
from xgen_deploy.manifest.load import load_site
from xgen_deploy.probe.observe import prepare
from xgen_deploy.run.control_node import ControlNode, Seen, localized, look
from xgen_deploy.state.site import Site
from xgen_deploy.transport.base import Connection
from xgen_deploy.transport.connect import Connector
from xgen_deploy.transport.fleet import each
from xgen_deploy.transport.options import Options
from xgen_deploy.transport.read_only import ReadOnly


@dataclass(frozen=True)
class Run:
    """A site with a connection for each of its hosts."""

    site: Site
    control_node: ControlNode
    connections: dict[str, Connection]

    def observe(
        self,
        *,
        health: bool = False,
        among: frozenset[str] | None = None,
        then: tuple[str, ...] = (),
    ) -> dict[str, Seen]:
        """Every host at once, one round trip each, through connections that cannot write. `then`
        are modules to import while they answer: 0.1 s less to wait afterwards.
        """
        chosen = [ReadOnly(c) for n, c in self.connections.items() if among is None or n in among]

        prepared = Event()

        def one(connection: Connection) -> Seen:
            connection.connect()
            prepared.wait()
            host = self.site.hosts[connection.name]
            return Seen(look(connection, self.site, host, self.control_node, health=health))

        def meanwhile() -> None:
            prepare()
            prepared.set()
            for module in then:
                import_module(module)

        found = each(chosen, one, meanwhile=meanwhile)
        return {n: Seen(None, s) if isinstance(s, XgenError) else s for n, s in found.items()}


def read_site(settings: Settings) -> Site:
    """Raises ManifestError with every problem, before any host is contacted."""
    _refuse_saved_plan(settings.manifest)
    site = load_site(settings.manifest, inventory=settings.inventory)
    return limit(site, settings.limit) if settings.limit else site


def _refuse_saved_plan(path: str) -> None:
    start = b'{"xgen_plan"'
    try:
        with Path(path).open("rb") as file:
            saved = file.read(len(start)) == start
    except OSError:
        return
    if saved:
        raise UsageError(f"{path} is a saved plan; only `apply` and `show` take one")


@contextmanager
def open_run(settings: Settings) -> Iterator[Run]:
    """Over the manifest that the command line names."""
    with run_for(read_site(settings), settings) as run:
        yield run


@contextmanager
def run_for(site: Site, settings: Settings) -> Iterator[Run]:
    """Over a site from elsewhere: a saved plan, a record. Connections are closed at the end."""
    control_node = ControlNode()
    site = localized(site, control_node)
    options = Options(
        ssh_config=settings.ssh_config,
        accept_new_host_keys=settings.accept_new_host_keys,
        become_password=_password(settings),
        runtime=site.runtime,
    )
    connector = Connector(options)
    try:
        yield Run(site, control_node, {n: connector.connect(h) for n, h in site.hosts.items()})
    finally:
        connector.close()


def _password(settings: Settings) -> str | None:
    if not settings.ask_become_pass:
        return None
    return str(click.prompt("sudo password", hide_input=True, err=True))
