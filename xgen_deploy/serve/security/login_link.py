"""The link that is printed where `serve` runs: it logs in once, and soon ends."""

import hashlib
import hmac
import secrets
import threading

from xgen_deploy.serve.security.sessions import Clock

LASTS = 10 * 60.0


class LoginLink:
    """One at a time. Thread-safe."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._digest: bytes | None = None
        self._ends = 0.0

    def renew(self) -> str:
        """A new token; the one before is worth nothing any more."""
        token = secrets.token_urlsafe(32)
        with self._lock:
            self._digest, self._ends = _digest(token), self._clock() + LASTS
        return token

    def use(self, token: str) -> bool:
        """Whether it is the right one. It is used up then."""
        with self._lock:
            right = self._is_open() and hmac.compare_digest(self._digest or b"", _digest(token))
            if right:
                self._digest = None
            return right

    @property
    def is_open(self) -> bool:
        with self._lock:
            return self._is_open()

    def _is_open(self) -> bool:
        return self._digest is not None and self._clock() < self._ends


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode(errors="replace")).digest()
