"""The events of one command: to each host's own log and journal, and where the manifest says."""

import threading
import time
from collections.abc import Callable

from xgen_deploy.audit.event import Subject
from xgen_deploy.audit.host_log import HostLog
from xgen_deploy.audit.sinks import Sinks
from xgen_deploy.state.layout import Layout
from xgen_deploy.transport.base import Session

# Told what could not be written, a sentence each.
Warn = Callable[[str], None]


class Trail:
    """Nothing of it fails a change: what could not be written is told once."""

    def __init__(self, subject: Subject, sinks: Sinks, warn: Warn) -> None:
        self._subject = subject
        self._sinks = sinks
        self._warn = warn
        self._said: set[str] = set()
        self._lock = threading.Lock()

    def at(self, host: str, session: Session, layout: Layout, python: str) -> "HostTrail":
        """For what happens on one host."""
        log = HostLog(host, session, layout.audit, python)
        return HostTrail(host, self._subject, log, self._sinks, self._once)

    def tell(self, host: str, outcome: str, **more: str | None) -> None:
        """Only where the manifest says: of a host that keeps no log of its own."""
        event = self._subject.event(time.time(), outcome, host=host, **more)
        for said in self._sinks.write([event]):
            self._once(said)

    def close(self) -> None:
        for said in self._sinks.close():
            self._once(said)

    def _once(self, said: str) -> None:
        with self._lock:
            new = said not in self._said
            self._said.add(said)
        if new:
            self._warn(said)


class HostTrail:
    """One host's part of it."""

    def __init__(self, host: str, subject: Subject, log: HostLog, sinks: Sinks, warn: Warn) -> None:
        self._host = host
        self._subject = subject
        self._log = log
        self._sinks = sinks
        self._warn = warn

    def tell(self, outcome: str, **more: str | None) -> None:
        """`more` are fields of AuditEvent."""
        event = self._subject.event(time.time(), outcome, host=self._host, **more)
        told, failed = self._log.write([event])
        for said in (*((failed,) if failed else ()), *self._sinks.write(told)):
            self._warn(said)
