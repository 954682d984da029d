"""Events to a host's own log and journal, over its session."""

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
    """What the host's sshd says of our connection; each None where it does not."""

    user: str | None = Field(default=None, pattern=_WORD)
    address: str | None = Field(default=None, pattern=_WORD)
    ssh_key: str | None = Field(default=None, pattern=r"^[A-Z0-9-]{1,60} SHA256:[\w+/=]{1,100}$")


class HostLog:
    """One host's. `path` is of the log there, `python` an interpreter there."""

    def __init__(self, host: str, session: Session, path: str, python: str) -> None:
        self._host = host
        self._session = session
        self._path = path
        self._python = python
        self._login: RemoteLogin | None = None

    def write(self, events: Sequence[AuditEvent]) -> tuple[tuple[AuditEvent, ...], str | None]:
        """The events with what the host says of the login, and a sentence where a place on it
        did not take them. Never raises: the change that they tell of has happened.
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
        told = tuple(
            replace(
                event,
                remote_login=login.user,
                remote_address=login.address,
                ssh_key=login.ssh_key,
            )
            for event in events
        )
        return told, self._failed("; ".join(failed)) if failed else None

    def _failed(self, reason: str) -> str:
        return f"{self._host}: the audit log there could not be written: {reason[:300]}"


@lru_cache(maxsize=1)
def _program() -> str:
    return packed(_PACKAGE, _MODULES).decode()
