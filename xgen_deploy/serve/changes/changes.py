"""The changes of one `serve`: at most one is applied at a time, and the newest are remembered."""

import secrets
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from xgen_deploy.apply.going_back import earlier, refuse_disagreement, refuse_strange
from xgen_deploy.apply.history import followed_entries
from xgen_deploy.errors import XgenError
from xgen_deploy.frozen import replace
from xgen_deploy.manifest.edit.file import read_file
from xgen_deploy.run.run import Run
from xgen_deploy.serve.changes import carrying_out
from xgen_deploy.serve.changes.change import Asked, Change
from xgen_deploy.serve.changes.planned import (
    Planned,
    planned_edit,
    planned_maintenance,
    planned_rollback,
)
from xgen_deploy.serve.changes.preparing import (
    Prepared,
    prepared_action,
    prepared_edit,
    prepared_rollback,
    refuse_uneditable,
)
from xgen_deploy.serve.changes.preview import Seen
from xgen_deploy.serve.changes.refused import Refused
from xgen_deploy.serve.changes.requests import (
    ActionRequest,
    ApplyRequest,
    Request,
    RollbackRequest,
)
from xgen_deploy.serve.changes.terms import beyond, interrupts, terms_of
from xgen_deploy.serve.security.scope import hosts_of
from xgen_deploy.serve.security.users import User
from xgen_deploy.transport.fleet import each

if TYPE_CHECKING:
    from xgen_deploy.serve.context import ServeContext

_MOST = 100
_OFF = "nothing is changed from here: `changes: off` (see `serve:` in the manifest, or --changes)"


class Changes:
    """Thread-safe. `listeners` hear of each change that begins, ends or is asked for."""

    def __init__(self, context: "ServeContext", editing: carrying_out.Editing | None) -> None:
        self.seen = Seen()
        self.listeners: list[Callable[[Change], None]] = []
        self._context = context
        self._editing = editing
        self._lock = threading.Lock()
        self._all: dict[str, Change] = {}

    @property
    def editing(self) -> carrying_out.Editing:
        """Raises Refused where nothing may be changed."""
        if self._editing is None or self._context.settings.changes == "off":
            raise Refused(403, _OFF)
        return self._editing

    def propose(self, user: User, asked: Request) -> Change:
        """Planned and remembered; nothing is written. Raises Refused, XgenError."""
        editing, site = self.editing, self._context.site()
        if isinstance(asked, RollbackRequest):
            prepared = prepared_rollback(site, user, asked)
        elif isinstance(asked, ActionRequest):
            prepared = prepared_action(site, user, asked)
        else:
            refuse_uneditable(editing.manifest.path)
            prepared = prepared_edit(editing.manifest, site, user, asked)
        change = Change(
            id=secrets.token_hex(6),
            asked=prepared.asked,
            planned=(planned := self._planned(prepared)),
            terms=terms_of(prepared.asked, planned, site),
            manifest=editing.manifest.path,
        )
        _refuse_beyond(user, change)
        with self._lock:
            self._all[change.id] = change
            old = [c.id for c in self._all.values() if c.state != "applying"]
            for stale in old[: max(0, len(self._all) - _MOST)]:
                del self._all[stale]
        self.tell(change)
        return change

    def apply(self, user: User, change_id: str, asked: ApplyRequest) -> Change:
        """Begins with it, or makes the proposal. Raises Refused, XgenError."""
        change, editing = self.of(user, change_id), self.editing
        self._refuse(user, change, asked)
        proposes = self._context.settings.changes == "propose"
        with self._lock:
            if change.state != "planned":
                raise Refused(409, f"this change is {change.state} already")
            running = next((c for c in self._all.values() if c.state == "applying"), None)
            if running is not None and not proposes:
                by = running.applied_by or running.asked.user
                raise Refused(409, f"{by} is applying another change: {_title(running.asked)}")
            change.applied_by = user.name
            change.state = "planned" if proposes else "applying"
        if proposes:
            carrying_out.propose(change, user.name)
            self.tell(change)
            return change
        try:
            self._hold_to_plan(change)
        except BaseException:
            change.state, change.applied_by = "planned", None
            raise
        self.tell(change)
        carrying_out.start(editing, change, user.name, lambda: self._ended(change))
        return change

    def undo(self, user: User, change_id: str) -> Change:
        """Raises Refused, ManifestError."""
        change = self.of(user, change_id)
        _ = self.editing
        _refuse_role(user, change)
        carrying_out.undo(change, user.name)
        self.tell(change)
        return change

    def of(self, user: User, change_id: str) -> Change:
        """Raises Refused for one that this user does not see."""
        with self._lock:
            change = self._all.get(change_id)
        if change is None or not self._sees(user, change):
            raise Refused(404, "there is no such change; the newest ones alone are remembered")
        return change

    def all(self, user: User) -> list[Change]:
        """The newest first."""
        with self._lock:
            changes = list(self._all.values())
        return [change for change in reversed(changes) if self._sees(user, change)]

    def tell(self, change: Change) -> None:
        for listener in list(self.listeners):
            listener(change)

    def _ended(self, change: Change) -> None:
        self.seen.forget()
        host = change.asked.host
        self._context.changed(change.planned.run.site.hosts if host is None else (host,))
        self.tell(change)

    def _sees(self, user: User, change: Change) -> bool:
        if change.asked.host is None:
            return user.hosts is None and user.models is None
        site = change.planned.run.site
        model = change.planned.models.get((change.asked.host, change.asked.instance or ""))
        own = change.asked.user == user.name
        is_his = own or user.models is None or model in user.models
        return is_his and change.asked.host in hosts_of(user, site)

    def _planned(self, prepared: Prepared) -> Planned:
        with self._context.opened(prepared.site) as run:
            if prepared.asked.maintain is not None:
                return planned_maintenance(run, prepared.asked.maintain)
            if prepared.asked.what == "rollback":
                return _planned_rollback(run, prepared.asked.to)
            return planned_edit(run)

    def _refuse(self, user: User, change: Change, asked: ApplyRequest) -> None:
        """Raises Refused for what this user may not, or not like that."""
        _refuse_role(user, change)
        _refuse_beyond(user, change)
        terms = change.terms
        if terms.blocked is not None:
            raise Refused(409, terms.blocked)
        if asked.fingerprint != change.fingerprint:
            raise Refused(409, "this is not the fingerprint of the change's plan; look at it again")
        if terms.confirm is not None and asked.name != terms.confirm:
            raise Refused(409, f"type `{terms.confirm}`: the plan interrupts or takes away")

    def _hold_to_plan(self, change: Change) -> None:
        """Raises Refused where the file or the hosts are no longer as they were planned for."""
        edit = change.asked.edit
        site = self._context.site()
        if edit is not None:
            refuse_uneditable(change.manifest)
            if read_file(change.manifest).content != edit.before.encode():
                raise Refused(409, "the manifest was changed meanwhile; ask for the change again")
            site = change.planned.run.site
        now = self._planned(Prepared(change.asked, site))
        if blocked := terms_of(change.asked, now, self._context.site()).blocked:
            raise Refused(409, blocked)
        if now.plan.fingerprint != change.fingerprint:
            raise Refused(409, "the plan is another one now; ask for the change again")


def _planned_rollback(run: Run, to: int | None) -> Planned:
    """Raises XgenError where the history has no such apply, or more than the manifest allows."""
    histories = each(
        list(run.connections.values()),
        lambda connection: followed_entries(connection, run.layout(connection.name)),
    )
    if to is None:
        reached = {h: e for h, e in histories.items() if not isinstance(e, XgenError)}
        refuse_disagreement(reached)
    number, chosen = earlier(histories, to)
    refuse_strange(chosen, run.site, trusted=False)
    return replace(planned_rollback(run, chosen), to=number)


def needs_plan_shown(change: Change) -> str:
    """Why a change is not for applying unseen; "" where it is."""
    if any(interrupts(o) for o in change.planned.plan.operations):
        return "the plan interrupts or removes something; apply it with its fingerprint"
    return ""


def _refuse_role(user: User, change: Change) -> None:
    if not user.may(change.terms.role):
        reason = f"this takes the role {change.terms.role}; {user.name} is {user.role}"
        raise Refused(403, reason)


def _refuse_beyond(user: User, change: Change) -> None:
    if reason := beyond(user, change.planned):
        raise Refused(403, reason)


def _title(asked: Asked) -> str:
    return f"{asked.what} {asked.instance or ''} on {asked.host}" if asked.host else asked.what
