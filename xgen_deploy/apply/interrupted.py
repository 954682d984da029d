"""After Ctrl-C: what each host puts back by itself is said and waited for. It does that whether
anybody waits or not (see guard.py).
"""

import time
from collections.abc import Mapping, Sequence

from xgen_deploy.apply.events import Event, EventKind, Listener
from xgen_deploy.apply.rollback import NOT_READY, SERVES_AGAIN, STOPPED_AS_BEFORE, serves
from xgen_deploy.errors import XgenError
from xgen_deploy.limits import RECORD
from xgen_deploy.render.put_back import NOTHING_STOPPED
from xgen_deploy.state.layout import Layout
from xgen_deploy.state.record import Record, read_record
from xgen_deploy.transport.base import Connection, Session
from xgen_deploy.transport.fleet import each

_PUT_BACK = 600.0
_SERVES = 600.0
_ASK = 30.0
_PAUSE = 0.5
_UNTOUCHED = "The version from before serves"
_NOT_SERVING = "The version from before does not answer: `xgen-deploy status` shows it"
# So often in a row the lock is free and the previous version still not back: nobody puts it back.
_FREE = 4


def wait_for_put_back(
    connections: Sequence[Connection], layouts: Mapping[str, Layout], tell: Listener
) -> None:
    """Of hosts that were being changed and whose sessions are closed; returns once each has put
    back what worked. Interrupting this leaves it to the hosts.
    """

    def settle(connection: Connection) -> None:
        with connection.session() as session:
            _Settling(connection.name, session, layouts[connection.name], tell).all()

    for host, error in each(connections, settle).items():
        if isinstance(error, XgenError):
            reason = str(error).removeprefix(f"{host}: ")
            text = f"interrupted; how it is now cannot be told: {reason}"
            tell(Event(kind="failed", host=host, text=text))


class _Settling:
    """One host, seen through a new session."""

    def __init__(self, host: str, session: Session, layout: Layout, tell: Listener) -> None:
        self._host = host
        self._session = session
        self._layout = layout
        self._tell = tell

    def all(self) -> None:
        content = self._session.read_file(self._layout.record, limit=RECORD)
        text = None if content is None else content.decode(errors="replace")
        record = read_record(text, self._layout.project, self._host)
        if not record.pending:
            self._say("failed", "interrupted; nothing has to be put back here")
        for instance in record.pending:
            began = time.monotonic()
            ending = self._one(instance, record)
            self._say("failed", f"interrupted. {ending}", instance, time.monotonic() - began)

    def _one(self, instance: str, record: Record) -> str:
        """A clause about how the instance stands in the end."""
        phase = self._phase(instance)
        last = record.instances.get(instance)
        if last is None:
            return "It was being created and is left as it is: the next apply finishes it"
        if phase is None or phase == NOTHING_STOPPED:
            if last.stopped is not None:
                return "It is stopped, as it was"
            return _UNTOUCHED if serves(self._session, last, _ASK) else _NOT_SERVING
        text = "interrupted: the host puts back the previous version; Ctrl-C again does not wait"
        self._say("progress", text, instance)
        if not self._is_back(instance):
            return "The previous version is not back yet: `xgen-deploy status` shows it"
        if last.stopped is not None:
            return STOPPED_AS_BEFORE
        return SERVES_AGAIN if serves(self._session, last, _SERVES) else NOT_READY

    def _phase(self, instance: str) -> str | None:
        """What is armed to be put back; None where nothing is any more."""
        armed = self._session.read_file(f"{self._layout.previous(instance)}/armed")
        return None if armed is None else armed.decode(errors="replace")

    def _is_back(self, instance: str) -> bool:
        deadline, free = time.monotonic() + _PUT_BACK, 0
        while self._phase(instance) is not None:
            free = free + 1 if self._is_lock_free() else 0
            if free >= _FREE or time.monotonic() > deadline:
                return False
            time.sleep(_PAUSE)
        return True

    def _is_lock_free(self) -> bool:
        """The guard holds it while it works; before that the interrupted apply's agent does."""
        argv = ["flock", "--nonblock", self._layout.lock, "true"]
        return self._session.run(argv, timeout=_ASK).returncode == 0

    def _say(
        self, kind: EventKind, text: str, instance: str | None = None, seconds: float | None = None
    ) -> None:
        self._tell(Event(kind=kind, host=self._host, instance=instance, text=text, seconds=seconds))
