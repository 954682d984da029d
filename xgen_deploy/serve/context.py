"""What the application holds while it runs; no file and no database of its own."""

import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager

from starlette.requests import HTTPConnection

from xgen_deploy.errors import XgenError
from xgen_deploy.live.feed import Feed
from xgen_deploy.run.run import Run
from xgen_deploy.serve.changes.carrying_out import Editing
from xgen_deploy.serve.changes.changes import Changes
from xgen_deploy.serve.observations import Observations
from xgen_deploy.serve.reading import OpenRun, Reading, only_reading
from xgen_deploy.serve.security.login_link import LoginLink
from xgen_deploy.serve.security.open_streams import OpenStreams
from xgen_deploy.serve.security.rate_limit import RateLimit
from xgen_deploy.serve.security.sessions import Clock, Sessions
from xgen_deploy.serve.security.users import Users
from xgen_deploy.serve.security.users_of_file import UsersOfFile
from xgen_deploy.serve.settings import ServeSettings
from xgen_deploy.state.site import Site


class ServeContext:
    """`load` reads the manifest, `open_run` connects to its hosts. `users` are those of a file, in
    place of the manifest's. `login` is whom the program runs as, `say` prints a line where it
    runs, `on_change` are called after a change."""

    def __init__(
        self,
        settings: ServeSettings,
        *,
        load: Callable[[], Site],
        open_run: OpenRun,
        login: str,
        say: Callable[[str], None],
        users: UsersOfFile | None = None,
        clock: Clock = time.monotonic,
        editing: Editing | None = None,
    ) -> None:
        self.settings = settings
        self.changes = Changes(self, editing)
        self.login = login
        self.say = say
        self.sessions = Sessions(clock)
        self.login_link = LoginLink(clock)
        self.streams = OpenStreams()
        self.rate_limit = RateLimit(clock)
        self.on_change: list[Callable[[], None]] = []
        self.cookie_name = _cookie_name(settings)
        self.hashing = threading.Semaphore(2)  # 16 MiB and a core each
        self._load = load
        self._open_run = open_run
        self._users = users
        self._clock = clock
        self._lock = threading.Lock()
        self._current: Reading | None = None
        self._closed = False

    def site(self) -> Site:
        """The manifest as it is now. Raises ManifestError."""
        return self._reading().site

    @property
    def project(self) -> str:
        """For whoever is asked to log in, who is told of no error in the manifest."""
        return self._last().site.project

    def users(self) -> Users:
        """While the manifest, or the file of users, has an error, those of before."""
        return self._last().users if self._users is None else self._users.now()

    def _last(self) -> Reading:
        with self._lock:
            current = self._current
        if current is None or current.is_old():
            try:
                current = self._reading()
            except Exception:
                if current is None:
                    raise
        return current

    def new_login_link(self) -> str | None:
        """None where there are users, who need none."""
        if len(self.users()):
            return None
        return f"{self.settings.address}/login/link?t={self.login_link.renew()}"

    def say_login_link(self) -> bool:
        """Prints a new one where the last is used up or too old; whether one is open now."""
        if self.login_link.is_open:
            return True
        link = self.new_login_link()
        if link is not None:
            self.say(f"{link}  (the link works once, within 10 minutes)")
        return link is not None

    @contextmanager
    def opened(self, site: Site) -> Iterator[Run]:
        """A run over another site, such as one that the manifest would be; it only reads."""
        with self._open_run(site) as run:
            yield only_reading(run)

    @contextmanager
    def run(self) -> Iterator[Run]:
        """A run that only reads, over connections that all requests share."""
        with self._leased() as reading:
            yield reading.run

    @contextmanager
    def observations(self) -> Iterator[Observations]:
        """What hosts say, asked once for all who look."""
        with self._leased() as reading:
            yield reading.observations

    @contextmanager
    def feed(self) -> Iterator[Feed]:
        """What hosts report as long as somebody looks; it outlives a change of the manifest that
        leaves its hosts as they are."""
        with self._leased() as reading:
            yield reading.feed

    def changed(self, hosts: Collection[str] = ()) -> None:
        """Something was changed from here: the next one who looks asks the hosts, and the reporters
        of these learn anew what runs there."""
        with self._lock:
            current = self._current
        if current is not None:
            current.changed(hosts)
        for listener in self.on_change:
            listener()

    def close(self) -> None:
        """Nothing is opened any more."""
        with self._lock:
            self._closed = True
            current, self._current = self._current, None
        if current is not None:
            current.retire()

    @contextmanager
    def _leased(self) -> Iterator[Reading]:
        reading = self._reading(lease=True)
        try:
            yield reading
        finally:
            reading.give_back()

    def _reading(self, *, lease: bool = False) -> Reading:
        with self._lock:
            if self._closed:
                raise XgenError("serve is ending")
            before = current = self._current
            if current is None or current.is_old():
                current = Reading(self._load, self._open_run, self._clock, before)
                self._current = current
            if lease:
                current.lease()
        if before is not None and before is not current:
            before.retire()
        return current


def context_of(request: HTTPConnection) -> ServeContext:
    context: ServeContext = request.app.state.context
    return context


def _cookie_name(settings: ServeSettings) -> str:
    """One a port: browsers hold cookies by name alone."""
    return f"{'__Host-' if settings.tls else ''}xgen-serve-{settings.port}"
