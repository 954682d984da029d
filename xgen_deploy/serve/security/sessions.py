"""Logins of browsers, in memory: they end with the program."""

import hashlib
import hmac
import secrets
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from xgen_deploy.serve.security.users import User

IDLE = 30 * 60.0
LONGEST = 8 * 3600.0
_MOST = 1000
_MOST_OF_USER = 50
Clock = Callable[[], float]


@dataclass(frozen=True)
class Session:
    """`began` and `seen` are of the clock that sessions are measured by. `csrf` must come back with
    every change."""

    user: User
    csrf: str
    began: float
    seen: float


class Sessions:
    """What a browser holds is a random text; only its hash is kept here. Thread-safe."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._sessions: dict[str, Session] = {}

    def begin(self, user: User) -> tuple[str, Session]:
        """What goes into the cookie, and the session."""
        cookie, now = secrets.token_urlsafe(32), self._clock()
        session = Session(user, secrets.token_urlsafe(32), now, now)
        with self._lock:
            self._drop_ended(now)
            own = [key for key, other in self._sessions.items() if other.user.name == user.name]
            if len(own) >= _MOST_OF_USER:  # so that nobody puts others out by logging in
                self._drop_idlest(own)
            elif len(self._sessions) >= _MOST:
                self._drop_idlest(self._sessions)
            self._sessions[_key(cookie)] = session
        return cookie, session

    def of(self, cookie: str) -> Session | None:
        """None where there is none, or it has ended."""
        key, now = _key(cookie), self._clock()
        with self._lock:
            session = self._sessions.get(key)
            if session is None:
                return None
            if _ended(session, now):
                del self._sessions[key]
                return None
            session = self._sessions[key] = replace(session, seen=now)
            return session

    def goes_on(self, cookie: str) -> bool:
        """The same for a stream that is open, which is no sign of anybody being there."""
        with self._lock:
            session = self._sessions.get(_key(cookie))
        return session is not None and not _ended(session, self._clock())

    def end(self, cookie: str) -> None:
        with self._lock:
            self._sessions.pop(_key(cookie), None)

    def _drop_idlest(self, keys: Iterable[str]) -> None:
        del self._sessions[min(keys, key=lambda key: self._sessions[key].seen)]

    def _drop_ended(self, now: float) -> None:
        for key in [k for k, s in self._sessions.items() if _ended(s, now)]:
            del self._sessions[key]


def is_csrf(session: Session, sent: str) -> bool:
    return hmac.compare_digest(session.csrf.encode(), sent.encode(errors="replace"))


def _ended(session: Session, now: float) -> bool:
    return now - session.seen > IDLE or now - session.began > LONGEST


def _key(cookie: str) -> str:
    return hashlib.sha256(cookie.encode(errors="replace")).hexdigest()
