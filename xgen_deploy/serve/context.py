"""What the application holds while it runs; no file and no database of its own."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

from starlette.requests import HTTPConnection

from xgen_deploy.frozen import replace
from xgen_deploy.run.run import Run
from xgen_deploy.serve.changes.carrying_out import Editing
from xgen_deploy.serve.changes.changes import Changes
from xgen_deploy.serve.observations import Observations
from xgen_deploy.serve.security.login_link import LoginLink
from xgen_deploy.serve.security.rate_limit import RateLimit
from xgen_deploy.serve.security.sessions import Clock, Sessions
from xgen_deploy.serve.security.users import Users
from xgen_deploy.serve.settings import ServeSettings
from xgen_deploy.state.serve import ServeUser
from xgen_deploy.state.site import Site
from xgen_deploy.transport.base import Connection
from xgen_deploy.transport.read_only import ReadOnly

OpenRun = Callable[[Site], AbstractContextManager[Run]]
_Stamp = tuple[tuple[str, int, int], ...]


class ServeContext:
    """`load` reads the manifest, `open_run` connects to its hosts. `users` are those of a file, in
    place of the manifest's. `login` is whom the program runs as, `say` prints a line where it
    runs."""

    def __init__(
        self,
        settings: ServeSettings,
        *,
        load: Callable[[], Site],
        open_run: OpenRun,
        login: str,
        say: Callable[[str], None],
        users: Mapping[str, ServeUser] | None = None,
        clock: Clock = time.monotonic,
        editing: Editing | None = None,
    ) -> None:
        self.settings = settings
        self.changes = Changes(self, editing)
        self.login = login
        self.say = say
        self.sessions = Sessions(clock)
        self.login_link = LoginLink(clock)
        self.rate_limit = RateLimit(clock)
        self.cookie_name = _cookie_name(settings)
        self.hashing = threading.Semaphore(2)  # 16 MiB and a core each
        self._load = load
        self._open_run = open_run
        self._users = users
        self._clock = clock
        self._lock = threading.Lock()
        self._current: _Reading | None = None

    def site(self) -> Site:
        """The manifest as it is now. Raises ManifestError."""
        return self._reading().site

    def users(self) -> Users:
        """While the manifest has an error, those of before."""
        if self._users is not None:
            return Users(self._users)
        with self._lock:
            current = self._current
        if current is None or current.is_old():
            try:
                current = self._reading()
            except Exception:
                if current is None:
                    raise
        return current.users

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
            only_reading: dict[str, Connection] = {
                name: ReadOnly(c) for name, c in run.connections.items()
            }
            yield replace(run, connections=only_reading)

    def changed(self) -> None:
        """Something was changed from here: the next one who looks asks the hosts."""
        with self._lock:
            current = self._current
        if current is not None:
            current.forget()

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

    def close(self) -> None:
        with self._lock:
            current, self._current = self._current, None
        if current is not None:
            current.retire()

    @contextmanager
    def _leased(self) -> "Iterator[_Reading]":
        reading = self._reading(lease=True)
        try:
            yield reading
        finally:
            reading.give_back()

    def _reading(self, *, lease: bool = False) -> "_Reading":
        with self._lock:
            before = current = self._current
            if current is None or current.is_old():
                current = self._current = _Reading(self._load(), self._open_run, self._clock)
            if lease:
                current.lease()
        if before is not None and before is not current:
            before.retire()
        return current


class _Reading:
    """A manifest as it was read at one time, and the connections to its hosts, which are closed
    once it is old and nobody uses it."""

    def __init__(self, site: Site, open_run: OpenRun, clock: Clock) -> None:
        self.site = site
        self.users = Users(site.serve.users if site.serve else {})
        self._stamp = _stamp(site)
        self._open_run = open_run
        self._clock = clock
        self._stack = ExitStack()
        self._lock = threading.Lock()
        self._used_by = 0
        self._retired = False
        self._run: Run | None = None
        self._observations: Observations | None = None

    def is_old(self) -> bool:
        return _stamp(self.site) != self._stamp

    @property
    def run(self) -> Run:
        with self._lock:
            if self._run is None:
                run = self._stack.enter_context(self._open_run(self.site))
                only_reading: dict[str, Connection] = {
                    name: ReadOnly(c) for name, c in run.connections.items()
                }
                self._run = replace(run, connections=only_reading)
            return self._run

    @property
    def observations(self) -> Observations:
        run = self.run
        with self._lock:
            if self._observations is None:
                self._observations = Observations(run, self._clock)
            return self._observations

    def forget(self) -> None:
        with self._lock:
            observations = self._observations
        if observations is not None:
            observations.forget()

    def lease(self) -> None:
        with self._lock:
            self._used_by += 1

    def give_back(self) -> None:
        with self._lock:
            self._used_by -= 1
        self._close_if_unused()

    def retire(self) -> None:
        self._retired = True
        self._close_if_unused()

    def _close_if_unused(self) -> None:
        with self._lock:
            unused = self._retired and not self._used_by
        if unused:
            self._stack.close()


def context_of(request: HTTPConnection) -> ServeContext:
    context: ServeContext = request.app.state.context
    return context


def _cookie_name(settings: ServeSettings) -> str:
    """One a port: browsers hold cookies by name alone."""
    return f"{'__Host-' if settings.tls else ''}xgen-serve-{settings.port}"


def _stamp(site: Site) -> _Stamp:
    """How its files are on the disk."""
    return tuple(_file_stamp(path) for path in (site.manifest_file, *site.files))


def _file_stamp(path: str) -> tuple[str, int, int]:
    try:
        status = Path(path).stat()
    except OSError:
        return path, 0, 0
    return path, status.st_mtime_ns, status.st_size
