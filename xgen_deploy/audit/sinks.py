"""Where the manifest sends events from this machine: a file, syslog, a webhook."""

import json
import logging
import os
import threading
from collections.abc import Callable, Sequence
from logging.handlers import SysLogHandler
from pathlib import Path

from xgen_deploy.audit.event import AuditEvent
from xgen_deploy.audit.remote.log import append
from xgen_deploy.errors import UsageError
from xgen_deploy.state.settings import Audit

_LOCAL = "/dev/log"
_SYSLOG_PORT = 514

# Posts all events of a command; returns a sentence if that failed.
Post = Callable[[Sequence[AuditEvent]], str | None]


class Sinks:
    """The destinations of one command's events; thread-safe. A failure is a sentence to show."""

    def __init__(self, stated: Audit | None, post: Post | None = None) -> None:
        """`post` calls the webhook. Raises UsageError where the file cannot be written, before
        anything is changed.
        """
        self._stated = stated or Audit()
        self._post = post
        self._events: list[AuditEvent] = []
        self._lock = threading.Lock()
        file = self._stated.file
        self._file = Path(file).expanduser() if file is not None else None
        if self._file is not None:
            _try_file(self._file)

    def write(self, events: Sequence[AuditEvent]) -> tuple[str, ...]:
        """Returns a sentence for each failure."""
        with self._lock:
            self._events += events
            failures = (self._to_file(events), self._to_syslog(events))
        return tuple(failure for failure in failures if failure is not None)

    def close(self) -> tuple[str, ...]:
        """Posts all events to the webhook, once, at the end: it may be slow."""
        if self._post is None or not self._events:
            return ()
        failure = self._post(self._events)
        return (failure,) if failure else ()

    def _to_file(self, events: Sequence[AuditEvent]) -> str | None:
        if self._file is None:
            return None
        try:
            append(str(self._file), [_value(e) for e in events])
        except OSError as error:
            return f"audit.file: {self._file} could not be written: {error.strerror}"
        return None

    def _to_syslog(self, events: Sequence[AuditEvent]) -> str | None:
        address = self._stated.syslog
        if not address:
            return None
        try:
            handler = _Syslog(address=_syslog_address(address), facility=SysLogHandler.LOG_AUTHPRIV)
            handler.ident = "xgen-deploy: "
            try:
                for event in events:
                    text = json.dumps(_value(event))
                    record = logging.LogRecord("", logging.INFO, "", 0, text, None, None)
                    handler.emit(record)
            finally:
                handler.close()
        except OSError as error:
            where = _LOCAL if address is True else address
            return f"audit.syslog: {where} could not be reached: {error.strerror or error}"
        return None


class _Syslog(SysLogHandler):
    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802, ARG002
        """Called while handling the error, which `Sinks` reports instead of printing it here."""
        raise


def _syslog_address(stated: str | bool) -> str | tuple[str, int]:
    if isinstance(stated, bool):
        return _LOCAL
    if stated.startswith("/"):
        return stated
    host, _, port = stated.rpartition(":")
    return (host, int(port)) if host and port.isdigit() else (stated, _SYSLOG_PORT)


def _try_file(path: Path) -> None:
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600))
    except OSError as error:
        raise UsageError(
            f"audit.file: {path} cannot be written ({error.strerror}), and no change is made "
            "without it; nothing was done"
        ) from None


def _value(event: AuditEvent) -> dict[str, object]:
    return event.model_dump(mode="json", exclude_none=True)
