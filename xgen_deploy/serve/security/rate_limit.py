"""Logins that failed: after some of them the next one waits."""

import threading
from collections import deque

from xgen_deploy.serve.security.sessions import Clock

TRIES, WITHIN = 5, 60.0
_MOST = 10_000


class RateLimit:
    """So many failures in a minute of one name from one address, and four times as many of an
    address. Thread-safe."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._failures: dict[tuple[str, ...], deque[float]] = {}

    def wait(self, address: str, name: str) -> float:
        """Seconds until the next try; 0 where it may be made now."""
        now = self._clock()
        with self._lock:
            return max(
                self._left((address,), 4 * TRIES, now), self._left((address, name), TRIES, now)
            )

    def failed(self, address: str, name: str) -> None:
        now = self._clock()
        with self._lock:
            while len(self._failures) >= _MOST:
                del self._failures[next(iter(self._failures))]
            for key in ((address,), (address, name)):
                self._failures.setdefault(key, deque(maxlen=4 * TRIES)).append(now)

    def _left(self, key: tuple[str, ...], most: int, now: float) -> float:
        times = self._failures.get(key)
        if times is None:
            return 0.0
        while times and now - times[0] >= WITHIN:
            times.popleft()
        if not times:
            del self._failures[key]
            return 0.0
        return WITHIN - (now - times[-most]) if len(times) >= most else 0.0
