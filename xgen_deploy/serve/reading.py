"""A manifest as it was read at one time, and the hosts that it names."""

import threading
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

from xgen_deploy.frozen import replace
from xgen_deploy.live.feed import Feed
from xgen_deploy.live.site_feed import site_feed
from xgen_deploy.run.run import Run
from xgen_deploy.serve.observations import Observations
from xgen_deploy.serve.security.sessions import Clock
from xgen_deploy.serve.security.users import Users
from xgen_deploy.state.observation import Observed
from xgen_deploy.state.site import Site
from xgen_deploy.transport.base import Connection
from xgen_deploy.transport.read_only import ReadOnly

OpenRun = Callable[[Site], AbstractContextManager[Run]]
_Stamp = tuple[tuple[str, int, int], ...]


class SharedHosts:
    """Connections that cannot write, and what hosts report over them, for all readings of a
    manifest that leave its hosts as they are. Closed with the last of these."""

    def __init__(self, open_run: OpenRun) -> None:
        self._open_run = open_run
        self._stack = ExitStack()
        self._lock = threading.Lock()
        self._readings = 0
        self._connections: dict[str, Connection] = {}
        self._feed: Feed | None = None
        self._observed: Callable[[], Observed] = dict

    def hold(self) -> None:
        with self._lock:
            self._readings += 1

    def let_go(self) -> None:
        with self._lock:
            self._readings -= 1
            if self._readings:
                return
            feed = self._feed
        if feed is not None:
            feed.close()
        self._stack.close()

    def run(self, site: Site) -> Run:
        """Over the connections that there are."""
        with self._lock:
            run = self._stack.enter_context(self._open_run(site))
            if not self._connections:
                self._connections = only_reading(run).connections
            return replace(run, connections=self._connections)

    def restart(self, hosts: Collection[str]) -> None:
        """What runs there changed."""
        with self._lock:
            feed = self._feed
        if feed is not None:
            for host in hosts:
                feed.restart(host)

    def feed(self, run: Run, observed: Callable[[], Observed]) -> Feed:
        """`observed` looks at the hosts."""
        with self._lock:
            self._observed = observed
            if self._feed is None:
                self._feed = site_feed(run, lambda: self._observed())
            return self._feed


class Reading:
    """`before` is the one that it takes the place of. Thread-safe."""

    def __init__(
        self,
        load: Callable[[], Site],
        open_run: OpenRun,
        clock: Clock,
        before: "Reading | None" = None,
    ) -> None:
        self.site, self._stamp = _settled(load)
        site = self.site
        self.users = Users(site.serve.users if site.serve else {})
        self._clock = clock
        self._lock = threading.Lock()
        self._used_by = 0
        self._retired = self._closed = False
        self._run: Run | None = None
        self._observations: Observations | None = None
        self._shared: SharedHosts = SharedHosts(open_run)
        if before is not None and _hosts_of(before.site) == _hosts_of(site):
            self._shared = before._shared
        self._shared.hold()

    def is_old(self) -> bool:
        return _stamp(self.site) != self._stamp

    @property
    def run(self) -> Run:
        with self._lock:
            if self._run is None:
                self._run = self._shared.run(self.site)
            return self._run

    @property
    def observations(self) -> Observations:
        run = self.run
        with self._lock:
            if self._observations is None:
                self._observations = Observations(run, self._clock)
            return self._observations

    @property
    def feed(self) -> Feed:
        return self._shared.feed(self.run, self.observations.now)

    def changed(self, hosts: Collection[str]) -> None:
        with self._lock:
            observations = self._observations
        if observations is not None:
            observations.forget()
        self._shared.restart(hosts)

    def lease(self) -> None:
        with self._lock:
            self._used_by += 1

    def give_back(self) -> None:
        with self._lock:
            self._used_by -= 1
        self._close_if_unused()

    def retire(self) -> None:
        with self._lock:
            self._retired = True
        self._close_if_unused()

    def _close_if_unused(self) -> None:
        with self._lock:
            unused = self._retired and not self._used_by and not self._closed
            self._closed = self._closed or unused
        if unused:
            self._shared.let_go()


def only_reading(run: Run) -> Run:
    """Over connections that cannot write."""
    connections: dict[str, Connection] = {n: ReadOnly(c) for n, c in run.connections.items()}
    return replace(run, connections=connections)


def _hosts_of(site: Site) -> object:
    """What connections and reporters depend on."""
    return site.project, site.runtime, site.hosts


def _settled(load: Callable[[], Site]) -> tuple[Site, _Stamp]:
    """As it is read before and after one look at its files: a change meanwhile is seen later."""
    site = load()
    while True:
        stamp = _stamp(site)
        again = load()
        if again.manifest_digest == site.manifest_digest:
            return again, stamp
        site = again


def _stamp(site: Site) -> _Stamp:
    """How its files are on the disk."""
    return tuple(_file_stamp(path) for path in (site.manifest_file, *site.files))


def _file_stamp(path: str) -> tuple[str, int, int]:
    try:
        status = Path(path).stat()
    except OSError:
        return path, 0, 0
    return path, status.st_mtime_ns, status.st_size
