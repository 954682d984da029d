"""One change: as it was asked for, what it would do, and what became of it. In memory only."""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from xgen_deploy.documents.changes import ChangeDocument, State, What
from xgen_deploy.documents.error_entry import ErrorEntry
from xgen_deploy.plan.maintenance import Request
from xgen_deploy.serve.changes.planned import Planned
from xgen_deploy.serve.changes.shown import diff_of, shown_diff, shown_document, shown_line
from xgen_deploy.serve.security.users import User
from xgen_deploy.state.manifest_edit import ManifestEdit
from xgen_deploy.state.serve import Role

MOST_LINES = 5000
_LONGEST_LINE = 1 << 16


@dataclass(frozen=True)
class Asked:
    """`edit` is the manifest's whole text before and after, `maintain` what is stopped or started,
    `to` the apply that is gone back to."""

    what: What
    user: str
    host: str | None = None
    instance: str | None = None
    edit: ManifestEdit | None = None
    maintain: Request | None = None
    to: int | None = None


@dataclass(frozen=True)
class Terms:
    """On which a plan may be applied; as in ChangeDocument."""

    role: Role
    confirm: str | None = None
    blocked: str | None = None


@dataclass
class Change:
    """`lines` are those of `apply --json` so far. What changes is guarded by `lock`."""

    id: str
    asked: Asked
    planned: Planned
    terms: Terms
    manifest: str
    created: datetime = field(default_factory=lambda: datetime.now(UTC))
    state: State = "planned"
    applied_by: str | None = None
    exit_code: int | None = None
    branch: str | None = None
    patch: str | None = None
    lines: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def has_ended(self) -> bool:
        return self.state not in ("planned", "applying")

    @property
    def fingerprint(self) -> str:
        return self.planned.plan.fingerprint

    def hear(self, line: str) -> None:
        """A line of the process that applies it; too many are left out, but for the last one."""
        with self.lock:
            if len(self.lines) < MOST_LINES or '"kind": "end"' in line or '"kind":"end"' in line:
                self.lines.append(line[:_LONGEST_LINE])

    def end(self, code: int) -> None:
        """Its lines end with the one of kind `end`, whatever came before."""
        if not self.lines or _kind(self.lines[-1]) != "end":
            self.hear(json.dumps({"kind": "end", "exit_code": code}))
        with self.lock:
            self.exit_code = code
            self.state = _STATES.get(code, "failed")

    @property
    def diff(self) -> str:
        return "" if self.asked.edit is None else diff_of(self.asked.edit, self.manifest)

    @property
    def may_undo(self) -> bool:
        edit, stood = self.asked.edit, self.state in ("failed", "conflict")
        return stood and edit is not None and _reads(self.manifest, edit.after)

    def document(self, user: User, *, whole: bool = True) -> ChangeDocument:
        """As this user is shown it."""
        return ChangeDocument(
            id=self.id,
            what=self.asked.what,
            user=self.asked.user,
            created=self.created.isoformat(timespec="seconds"),
            state=self.state,
            host=self.asked.host,
            instance=self.asked.instance,
            diff=shown_diff(self.asked.edit, self.manifest, user),
            fingerprint=self.fingerprint,
            confirm=self.terms.confirm,
            role=self.terms.role,
            blocked=self.terms.blocked,
            plan=shown_document(self.planned, user) if whole else None,
            applied_by=self.applied_by,
            exit_code=self.exit_code,
            branch=self.branch,
            patch=self.patch,
            may_undo=self.may_undo,
            errors=tuple(self._errors(user)) if self.exit_code else (),
        )

    def _errors(self, user: User) -> Iterator[ErrorEntry]:
        """Those of the last documents that the process printed."""
        for line in self.lines[-2:]:
            value = _value(shown_line(line, self.planned, user))
            for error in value.get("errors") or ():
                yield ErrorEntry(
                    **{k: error.get(k) for k in _ENTRY} | {"message": error["message"]}
                )


_ENTRY = tuple(field.name for field in fields(ErrorEntry))
_STATES: dict[int, State] = {0: "applied", 5: "conflict"}


def _kind(line: str) -> object:
    return _value(line).get("kind")


def _value(line: str) -> dict[str, Any]:
    """Of a line of JSON; an empty one of any other."""
    try:
        value = json.loads(line)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _reads(path: str, text: str) -> bool:
    try:
        return Path(path).read_bytes() == text.encode()
    except OSError:
        return False
