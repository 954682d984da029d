"""Takes what hosts report to all open streams: two threads for any number of them, and none while
nobody looks."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from xgen_deploy.documents.live import LiveStates
from xgen_deploy.errors import XgenError
from xgen_deploy.live.feed import Subscription
from xgen_deploy.live.values import Gone, HostValues
from xgen_deploy.serve.context import ServeContext
from xgen_deploy.serve.security.users import User
from xgen_deploy.state.observation import Observed
from xgen_deploy.state.site import Site

MOST_STREAMS = 400
_EVERY = 2.0  # seconds between two events of values, however many hosts report
_LOOK_AGAIN = 60.0  # seconds between two looks at what runs, where no reporter tells of a change
_MOST_POSTED = 100
_ENDING = 5.0  # seconds
Values = Mapping[str, tuple[int, HostValues | Gone]]


@dataclass(frozen=True)
class Posted:
    """An event for whoever may see it. `text` is JSON."""

    name: str
    text: str
    allowed: Callable[[User], bool]


@dataclass(frozen=True)
class State:
    """What runs, by one look."""

    number: int
    site: Site
    observed: Observed


class Hub:
    """`values` by host, each with the number at which it came; `posted` with theirs. These are
    replaced as a whole, so that streams read them without a lock. `texts` are what streams made of
    them, for others with the same rights."""

    def __init__(self, context: ServeContext) -> None:
        self._context = context
        self._lock = threading.Lock()
        self._working: dict[str, threading.Thread] = {}
        self._closed = False
        self._wakers: dict[asyncio.Event, asyncio.AbstractEventLoop] = {}
        self._look = threading.Event()
        self._is_broken = False
        self.number = 0
        self.values: Values = {}
        self.state: State | None = None
        self.posted: tuple[tuple[int, Posted], ...] = ()
        self.texts: dict[object, str] = {}

    @contextmanager
    def stream(self) -> Iterator[asyncio.Event]:
        """For the length of one stream: what is set when there is something new."""
        waker = asyncio.Event()
        waker.set()
        with self._lock:
            self._wakers[waker] = asyncio.get_running_loop()
            self._begin("values", self._follow_values)
            self._begin("state", self._follow_state)
        try:
            yield waker
        finally:
            with self._lock:
                del self._wakers[waker]
            if not self._wakers:
                self._look.set()

    @property
    def is_full(self) -> bool:
        return len(self._wakers) >= MOST_STREAMS

    def post(self, event: Posted) -> None:
        """To every stream that is open now, whose user may see it."""
        with self._lock:
            self.number += 1
            self.posted = (*self.posted[1 - _MOST_POSTED :], (self.number, event))
        self._wake()

    def look_again(self) -> None:
        """Something was done: what runs is looked at now."""
        self._look.set()

    def close(self) -> None:
        """Ends the threads, and waits for them."""
        self._closed = True
        self._look.set()
        with self._lock:
            working = list(self._working.values())
        for thread in working:
            thread.join(_ENDING)

    def _begin(self, name: str, work: Callable[[], None]) -> None:
        if name not in self._working and not self._closed:
            thread = threading.Thread(target=self._work, args=(name, work), daemon=True)
            self._working[name] = thread
            thread.start()

    @property
    def _goes_on(self) -> bool:
        return bool(self._wakers) and not self._closed

    def _work(self, name: str, work: Callable[[], None]) -> None:
        """Until nobody looks."""
        while True:
            try:
                work()
            except XgenError:  # of the manifest: pages are told by what they ask for
                if not self._closed:
                    self._tell_manifest(None)
                    time.sleep(_EVERY)
            with self._lock:
                if not self._goes_on:
                    del self._working[name]
                    return

    def _follow_values(self) -> None:
        """Until nobody looks, or the hosts are others."""
        with self._context.feed() as feed, feed.subscribe() as subscription:
            while self._goes_on:
                self._take_values(subscription)
                self._tell_manifest(self._context.site().manifest_digest)
                with self._context.feed() as now:
                    if now is not feed:
                        return

    def _take_values(self, subscription: Subscription) -> None:
        began = time.monotonic()
        latest = subscription.next(_EVERY)
        if latest is None:
            return
        with self._lock:
            self.number += 1
            before = self.values
            self.values = {
                host: before[host]
                if host in before and before[host][1] is values
                else (self.number, values)
                for host, values in latest.items()
            }
            self.texts = {}
        if _running(before) != _running(self.values):
            self._look.set()
        self._wake()
        time.sleep(max(0.0, _EVERY - (time.monotonic() - began)))

    def _follow_state(self) -> None:
        while self._goes_on:
            self._look.clear()
            if self._closed:
                return
            with self._context.observations() as observations:
                observed, site = observations.now(), observations.run.site
            with self._lock:
                self.number += 1
                self.state = State(self.number, site, observed)
                self.texts = {}
            self._wake()
            self._look.wait(_LOOK_AGAIN)

    def _tell_manifest(self, digest: str | None) -> None:
        """Where it is another one than that of the last look; None: it has errors."""
        before, self._is_broken = self._is_broken, digest is None
        if digest is None:
            if not before:
                told = LiveStates(version=self.number + 1, manifest=None, models=None)
                self.post(Posted("states", told.model_dump_json(), lambda _: True))
        elif before or (self.state and self.state.site.manifest_digest != digest):
            self._look.set()

    def _wake(self) -> None:
        with self._lock:
            wakers = list(self._wakers.items())
        for waker, loop in wakers:
            try:
                loop.call_soon_threadsafe(waker.set)
            except RuntimeError:  # the program ends
                return


def _running(values: Values) -> Mapping[str, object]:
    """What a start, an end or a lost host changes."""
    return {
        host: frozenset(v.instances) if isinstance(v, HostValues) else None
        for host, (_, v) in values.items()
    }
