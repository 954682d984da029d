"""Values of all hosts, for as long as somebody looks: one reporter a host for all viewers."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager

from xgen_deploy.errors import XgenError, reason_of
from xgen_deploy.live.last_hour import Curves, LastHour
from xgen_deploy.live.sample import LONGEST, read_sample
from xgen_deploy.live.values import Gone, HostValues, host_values
from xgen_deploy.transport.process import Output, Process, heard

Reports = AbstractContextManager[tuple[Process, Output]]
# A host's reporter, asked for values each so many seconds; raises XgenError.
Reporter = Callable[[float], Reports]

_INTERVAL = 5.0
_MANY = 20  # hosts; beyond these each is asked less often
_SILENCE = 30.0
_AGAIN = (5.0, 15.0, 60.0)  # seconds until the next try with a host that was lost
_GRACE = 30.0  # seconds that reporters go on when nobody looks any more


def interval_for(hosts: int) -> float:
    """Seconds between two values of a host."""
    return _INTERVAL * max(1.0, hosts / _MANY)


class Feed:
    """Thread-safe. Reporters start with the first subscription, and end a while after the last."""

    def __init__(self, reporters: Mapping[str, Reporter], *, interval: float | None = None) -> None:
        self._reporters = dict(reporters)
        self._interval = interval or interval_for(len(reporters))
        self._changed = threading.Condition()
        self._version = 0
        self._latest: dict[str, HostValues | Gone] = {}
        self._hours = {name: LastHour() for name in reporters}
        self._viewers = 0
        self._left_at = 0.0
        self._followers: dict[str, _Follower] = {}

    @contextmanager
    def subscribe(self) -> Iterator["Subscription"]:
        """Somebody looks for the length of the block."""
        with self._changed:
            self._viewers += 1
            missing = self._reporters.keys() - self._followers.keys()
            for name in missing:
                self._followers[name] = _Follower(self, name)
        try:
            yield Subscription(self)
        finally:
            with self._changed:
                self._viewers -= 1
                self._left_at = time.monotonic()

    def latest(self) -> Mapping[str, HostValues | Gone]:
        """Of hosts that said something, or were lost, since somebody looks."""
        with self._changed:
            return dict(self._latest)

    def last_hour(self, host: str) -> Curves:
        with self._changed:
            return self._hours[host].curves()

    def restart(self, host: str) -> None:
        """What runs there changed: its reporter is asked anew."""
        with self._changed:
            follower = self._followers.get(host)
        if follower is not None:
            follower.restart()

    def close(self) -> None:
        """Ends every reporter."""
        with self._changed:
            self._viewers, self._left_at = 0, -_GRACE
            followers = list(self._followers.values())
        for follower in followers:
            follower.restart()

    def watched(self) -> bool:
        """Whether reporters shall go on."""
        with self._changed:
            return self._viewers > 0 or time.monotonic() - self._left_at < _GRACE

    def open(self, host: str) -> Reports:
        return self._reporters[host](self._interval)

    def put(self, host: str, values: HostValues | Gone) -> None:
        with self._changed:
            self._latest[host] = values
            if isinstance(values, HostValues):
                self._hours[host].add(values)
            self._version += 1
            self._changed.notify_all()

    def ended(self, host: str) -> bool:
        """Whether its follower may end: a viewer may have come at the last moment."""
        with self._changed:
            if self._viewers:
                return False
            self._followers.pop(host, None)
            self._latest.pop(host, None)
            return True

    def wait(self, seen: int, timeout: float) -> int:
        """The version of the values, once it is another one than `seen`, or after `timeout` s."""
        with self._changed:
            self._changed.wait_for(lambda: self._version != seen, timeout)
            return self._version


class Subscription:
    """One viewer's."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self._seen = 0

    def next(self, timeout: float) -> Mapping[str, HostValues | Gone] | None:
        """The latest values once there are new ones; None where none came in `timeout` seconds."""
        version = self._feed.wait(self._seen, timeout)
        if version == self._seen:
            return None
        self._seen = version
        return self._feed.latest()


class _Follower:
    """Reads one host's reporter, in a thread of its own."""

    def __init__(self, feed: Feed, host: str) -> None:
        self._feed, self._host = feed, host
        self._wake = threading.Event()
        threading.Thread(target=self._follow, daemon=True, name=f"values of {host}").start()

    def restart(self) -> None:
        self._wake.set()

    def _follow(self) -> None:
        failures = 0
        while True:
            while self._feed.watched():
                try:
                    for _ in self._values():
                        failures = 0
                except XgenError as error:
                    self._feed.put(self._host, Gone(reason_of(error)))
                    pause = _AGAIN[min(failures, len(_AGAIN) - 1)]
                    failures += 1
                    self._wake.wait(pause)
                self._wake.clear()
            if self._feed.ended(self._host):
                return

    def _values(self) -> Iterator[None]:
        """Until nobody looks, or it is to be asked anew. Raises XgenError."""
        before = None
        with self._feed.open(self._host) as (process, first):
            for lines in heard(process, first, limit=LONGEST, within=_SILENCE):
                for line in filter(None, lines):
                    sample = read_sample(line)
                    self._feed.put(self._host, host_values(sample, before, time.time()))
                    before = sample
                    yield
                if self._wake.is_set() or not self._feed.watched():
                    return
