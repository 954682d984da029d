"""`/api/changes`: what was asked for, what would come of it, and what did."""

from typing import Literal

from xgen_deploy.documents.base import Document
from xgen_deploy.documents.plan import PlanDocument

State = Literal["planned", "applying", "applied", "failed", "conflict", "proposed", "undone"]
What = Literal["load", "unload", "start", "stop", "restart", "rollback"]


class ChangeDocument(Document):
    """`diff` is of the manifest, "" where its text stays. `fingerprint` is the plan's, and has to
    come with what applies it. `confirm` is the name to be typed for that, None where none is.
    `role` may apply it; `blocked` is why nobody may from here, None where somebody may. `exit_code`
    as of `apply`, None while it has not ended. `branch` or `patch` has what was proposed.
    `may_undo`: the edit stands in the file, and can be taken back.
    """

    id: str | None = None
    what: What | None = None
    user: str | None = None
    created: str | None = None
    state: State | None = None
    host: str | None = None
    instance: str | None = None
    diff: str | None = None
    fingerprint: str | None = None
    confirm: str | None = None
    role: str | None = None
    blocked: str | None = None
    plan: PlanDocument | None = None
    applied_by: str | None = None
    exit_code: int | None = None
    branch: str | None = None
    patch: str | None = None
    may_undo: bool | None = None


class ChangesDocument(Document):
    """The newest first, without their plans."""

    changes: tuple[ChangeDocument, ...] | None = None
