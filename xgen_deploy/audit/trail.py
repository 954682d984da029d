"""The audit trail of one command: to each host's log and journal, and to the manifest's sinks."""

import threading
import time
from collections.abc import Callable

from xgen_deploy.audit.event import Subject
from xgen_deploy.audit.host_log import HostLog
from xgen_deploy.audit.sinks import Sinks
from xgen_deploy.state.layout import Layout
from xgen_deploy.transport.base import Session

# Called with a sentence for each failure.
Warn = Callable[[str], None]


class Trail:
    """A failure to write never fails a change; it is reported once."""

    def __init__(self, subject: Subject, sinks: Sinks, warn: Warn) -> None:
        self._subject = subject
        self._sinks = sinks
        self._warn = warn
        self._warned: set[str] = set()
        self._lock = threading.Lock()

    def at(self, host: str, session: Session, layout: Layout, python: str) -> "HostTrail":
        """The trail of one host."""
        log = HostLog(host, session, layout.audit, python)
        return HostTrail(host, self._subject, log, self._sinks, self._warn_once)

    def tell(self, host: str, outcome: str, **more: str | None) -> None:
        """An event of a host without a log of its own, to the manifest's sinks alone."""
        event = self._subject.event(time.time(), outcome, host=host, **more)
        for failure in self._sinks.write([event]):
            self._warn_once(failure)

    def close(self) -> None:
        for failure in self._sinks.close():
            self._warn_once(failure)

    def _warn_once(self, failure: str) -> None:
        with self._lock:
            new = failure not in self._warned
            self._warned.add(failure)
        if new:
            self._warn(failure)


class HostTrail:
    """The part of a Trail that concerns one host."""

    def __init__(self, host: str, subject: Subject, log: HostLog, sinks: Sinks, warn: Warn) -> None:
        self._host = host
        self._subject = subject
        self._log = log
        self._sinks = sinks
        self._warn = warn
        self._writing = threading.Lock()

    def tell(self, outcome: str, **more: str | None) -> None:
        """`more` are fields of AuditEvent."""
        event = self._subject.event(time.time(), outcome, host=self._host, **more)
        with self._writing:  # operations on one host end side by side
            events, failure = self._log.write([event])
        for text in (*((failure,) if failure else ()), *self._sinks.write(events)):
            self._warn(text)
