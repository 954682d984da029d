"""What changes the fleet: asked for, shown as a plan, applied by its fingerprint."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response, StreamingResponse

from xgen_deploy.documents.changes import ChangeDocument, ChangesDocument
from xgen_deploy.serve.answers import answer
from xgen_deploy.serve.changes.change import Change
from xgen_deploy.serve.changes.changes import needs_plan_shown
from xgen_deploy.serve.changes.refused import Refused
from xgen_deploy.serve.changes.requests import (
    ActionRequest,
    ApplyRequest,
    LoadRequest,
    RollbackRequest,
    UnloadRequest,
)
from xgen_deploy.serve.changes.shown import shown_line
from xgen_deploy.serve.context import ServeContext, context_of
from xgen_deploy.serve.security.roles import Admin, Operator, Viewer, stays
from xgen_deploy.serve.security.users import User

router = APIRouter(tags=["changes"])
AtOnce = Annotated[
    bool,
    Query(description="Apply it at once; refused where its plan interrupts or removes anything."),
]
_PAUSE = 0.2
_HEARTBEAT = 15.0
_LONGEST_ID = 9


@router.post("/api/management/load", status_code=202, response_model=ChangeDocument)
def load(request: Request, user: Operator, asked: LoadRequest, apply: AtOnce = False) -> Response:
    """A model onto a host, or other settings of the one that is there: the edit and its plan."""
    return _asked(request, user, asked, apply)


@router.post("/api/management/unload", status_code=202, response_model=ChangeDocument)
def unload(
    request: Request, user: Operator, asked: UnloadRequest, apply: AtOnce = False
) -> Response:
    """An instance off its host."""
    return _asked(request, user, asked, apply)


@router.post("/api/management/action", status_code=202, response_model=ChangeDocument)
def action(
    request: Request, user: Operator, asked: ActionRequest, apply: AtOnce = False
) -> Response:
    """An instance stopped, started or restarted as it was applied."""
    return _asked(request, user, asked, apply)


@router.post("/api/rollback", status_code=202, response_model=ChangeDocument)
def rollback(request: Request, user: Admin, asked: RollbackRequest) -> Response:
    """An earlier apply again, with the current secrets; the manifest stays as it is."""
    return answer(context_of(request).changes.propose(user, asked).document(user), 202)


@router.get("/api/changes", response_model=ChangesDocument)
def changes(request: Request, user: Viewer) -> Response:
    """The newest changes that were asked for since the program began."""
    found = context_of(request).changes.all(user)
    return answer(ChangesDocument(changes=tuple(c.document(user, whole=False) for c in found)))


@router.get("/api/changes/{change_id}", response_model=ChangeDocument)
def change(request: Request, user: Viewer, change_id: str) -> Response:
    """One of them, with its diff and plan."""
    return answer(context_of(request).changes.of(user, change_id).document(user))


@router.post("/api/changes/{change_id}/apply", status_code=202, response_model=ChangeDocument)
def apply_change(request: Request, user: Operator, change_id: str, asked: ApplyRequest) -> Response:
    """The plan of this fingerprint is carried out, or proposed."""
    return answer(context_of(request).changes.apply(user, change_id, asked).document(user), 202)


@router.post("/api/changes/{change_id}/undo", response_model=ChangeDocument)
def undo(request: Request, user: Operator, change_id: str) -> Response:
    """Takes the edit of a failed change out of the manifest again; no host is touched."""
    return answer(context_of(request).changes.undo(user, change_id).document(user))


@router.get("/api/changes/{change_id}/events", response_class=StreamingResponse)
def events(request: Request, user: Viewer, change_id: str) -> StreamingResponse:
    """What `apply --json` tells, a line an event, from the first one or after `Last-Event-ID`."""
    found = context_of(request).changes.of(user, change_id)
    after = request.headers.get("last-event-id", "")
    begin = int(after) + 1 if after.isdecimal() and len(after) <= _LONGEST_ID else 0
    streams = context_of(request).streams
    streams.refuse_too_many(user)
    text = streams.counted(user, _events(found, user, begin, stays(request, "viewer")))
    return StreamingResponse(text, media_type="text/event-stream")


async def _events(
    change: Change, user: User, begin: int, stays: Callable[[], bool]
) -> AsyncIterator[str]:
    number, quiet = begin, 0.0
    while stays():
        ended, lines = change.has_ended, change.lines[number:]
        for line in lines:
            told = shown_line(line, change.planned, user).replace("<", "\\u003c")
            if told:
                yield f"id: {number}\ndata: {told}\n\n"
            number += 1
        if ended:
            return
        quiet = 0.0 if lines else quiet + _PAUSE
        if quiet >= _HEARTBEAT:
            quiet = 0.0
            yield ": still there\n\n"
        await asyncio.sleep(_PAUSE)


def _asked(
    request: Request,
    user: User,
    asked: LoadRequest | UnloadRequest | ActionRequest,
    at_once: bool,
) -> Response:
    context: ServeContext = context_of(request)
    found = context.changes.propose(user, asked)
    if at_once:
        if reason := needs_plan_shown(found):
            raise Refused(409, reason)
        fingerprint = ApplyRequest(fingerprint=found.fingerprint)
        found = context.changes.apply(user, found.id, fingerprint)
    return answer(found.document(user), 202)
