"""What is known of an engine while it loads its model: what it has read, its own words, and how
long it took last time.
"""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from xgen_deploy.apply.service_manager import ServiceManager
from xgen_deploy.backends.base import Backend
from xgen_deploy.backends.loading_stages import stage_of
from xgen_deploy.errors import XgenError
from xgen_deploy.state.instance import Instance
from xgen_deploy.transport.base import Session

LOADING = "loading the model"
_EVERY = 2.0
_ASK = 20.0
_LINES = 40
_GIB = 1 << 30


@dataclass(frozen=True)
class Known:
    """`size` is of the model's files; `last` are the seconds that its last start took."""

    read: int | None = None
    size: int | None = None
    stage: str | None = None
    last: float | None = None


def loading_text(known: Known) -> str:
    """`loading the model: 12.3 of 48.0 GiB read (25 %); last time 41 s`."""
    clauses = [c for c in (_read_clause(known.read, known.size), known.stage) if c]
    text = f"{LOADING}: {', '.join(clauses)}" if clauses else LOADING
    return text if known.last is None else f"{text}; last time {known.last:.0f} s"


def _read_clause(read: int | None, size: int | None) -> str | None:
    if not read:
        return None
    if not size or read > size:  # other files too, or each of several processes reads all
        return f"{_gib(read)} GiB read"
    return f"{_gib(read)} of {_gib(size)} GiB read ({100 * read // size} %)"


def _gib(count: int) -> str:
    return f"{count / _GIB:.2f}" if count < 10 * _GIB else f"{count / _GIB:.1f}"


class Loading:
    """One start. `tell` hears the text every few seconds, and for how long it has loaded."""

    def __init__(
        self,
        instance: Instance,
        service: str,
        backend: Backend,
        session: Session,
        service_manager: ServiceManager,
        last: float | None,
        tell: Callable[[str, float], None],
    ) -> None:
        self._instance = instance
        self._service = service
        self._backend = backend
        self._session = session
        self._service_manager = service_manager
        self._known = Known(size=instance.model_size, last=last)
        self._tell = tell
        self._began = self._told = time.monotonic()

    def look(self, run: str | None) -> None:
        """Called as often as one likes while start `run` is under way. What cannot be told is left
        out, for whatever reason."""
        now = time.monotonic()
        if now - self._told < _EVERY:
            return
        self._told = now
        before, read, stage = self._known, None, None
        with suppress(XgenError):
            read = self._bytes_read()
            log = self._service_manager.log(self._service, run, lines=_LINES)
            stage = stage_of(log, self._backend.loading_stages)
        most = max(read or 0, before.read or 0) or None  # what is mapped may be given back
        self._known = Known(most, before.size, stage, before.last)
        self._tell(loading_text(self._known), now - self._began)

    def _bytes_read(self) -> int | None:
        pid = self._pid()
        return None if pid is None else self._session.bytes_read(pid)

    def _pid(self) -> int | None:
        if self._instance.spec.runtime != "docker":
            return self._service_manager.pid(self._service)
        inspect = ["inspect", "--format", "{{.State.Pid}}", self._service]
        shown = self._session.run([self._instance.docker_cli, *inspect], timeout=_ASK).stdout
        text = shown.strip()
        return int(text) if text.isdigit() and int(text) > 0 else None
