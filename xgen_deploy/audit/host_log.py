"""Writes events to a host's own log and journal, over its session."""

import json
from collections.abc import Sequence
from functools import lru_cache

from pydantic import Field

from xgen_deploy.audit.event import AuditEvent
from xgen_deploy.bounded_json import read_json
from xgen_deploy.errors import XgenError
from xgen_deploy.frozen import Frozen, replace
from xgen_deploy.transport.base import Session
from xgen_deploy.transport.program import packed

_PACKAGE = "xgen_deploy.audit.remote"
_MODULES = ("log", "login", "main")
_WRITE = 60.0
_ANSWER = 1 << 16  # characters
_WORD = r"^[\x21-\x7e]{1,200}$"


class RemoteLogin(Frozen):
    """The connection according to the host's sshd; None where unknown."""

    user: str | None = Field(default=None, pattern=_WORD)
    address: str | None = Field(default=None, pattern=_WORD)
    ssh_key: str | None = Field(default=None, pattern=r"^[A-Z0-9-]{1,60} SHA256:[\w+/=]{1,100}$")


class HostLog:
    """The audit log of one host. `path` is the log there, `python` an interpreter there."""

    def __init__(self, host: str, session: Session, path: str, python: str) -> None:
        self._host = host
        self._session = session
        self._path = path
        self._python = python
        self._login: RemoteLogin | None = None

    def write(self, events: Sequence[AuditEvent]) -> tuple[tuple[AuditEvent, ...], str | None]:
        """Returns the events with the login that the host reports, and a sentence if the log or the
        journal could not be written. Never raises, because the change itself has happened.
        """
        known = self._login
        request = {
            "file": self._path,
            "events": [e.model_dump(mode="json", exclude_none=True) for e in events],
            "login": [known.user, known.address, known.ssh_key] if known else None,
        }
        try:
            done = self._session.run(
                [self._python, "-I", "-c", _program()],
                timeout=_WRITE,
                stdin=json.dumps(request).encode(),
            )
            if done.returncode != 0:
                return tuple(events), self._failed(done.complaint or f"status {done.returncode}")
            answer = read_json(done.stdout, _ANSWER)
            user, address, key = answer["login"]
            self._login = RemoteLogin(user=user, address=address, ssh_key=key)
            failed = [str(answer[p]) for p in ("file", "journal") if answer[p] is not None]
        except (XgenError, ValueError, TypeError, KeyError) as error:
            return tuple(events), self._failed(str(error).removeprefix(f"{self._host}: "))
        login = self._login
        completed = tuple(
            replace(
                event,
                remote_login=login.user,
                remote_address=login.address,
                ssh_key=login.ssh_key,
            )
            for event in events
        )
        return completed, self._failed("; ".join(failed)) if failed else None

    def _failed(self, reason: str) -> str:
        return f"{self._host}: its audit log could not be written: {reason[:300]}"


@lru_cache(maxsize=1)
def _program() -> str:
    return packed(_PACKAGE, _MODULES).decode()
