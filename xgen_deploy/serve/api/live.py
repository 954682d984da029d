"""`GET /api/events` and `GET /api/hosts/{host}/last-hour`."""

from typing import Annotated

from fastapi import APIRouter, HTTPException, Path, Request
from starlette.responses import Response, StreamingResponse

from xgen_deploy.documents.live import LastHourDocument, last_hour_document
from xgen_deploy.serve.answers import answer
from xgen_deploy.serve.context import context_of
from xgen_deploy.serve.live.hub import Hub
from xgen_deploy.serve.live.stream import events
from xgen_deploy.serve.security.roles import Viewer, stays
from xgen_deploy.serve.security.scope import seen_by

router = APIRouter()


@router.get(
    "/api/events",
    tags=["live"],
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}},
)
def all_events(request: Request, user: Viewer) -> StreamingResponse:
    """What changes, as server-sent events: `values` of hosts every few seconds, `state` of
    instances, `manifest`."""
    hub = hub_of(request)
    if hub.is_full:
        raise HTTPException(503, "too many pages are open")
    streams = context_of(request).streams
    streams.refuse_too_many(user)
    text = streams.counted(user, events(hub, user, stays(request, "viewer")))
    headers = {"x-accel-buffering": "no"}  # nginx hands each event on at once
    return StreamingResponse(text, media_type="text/event-stream", headers=headers)


@router.get("/api/hosts/{host}/last-hour", tags=["live"], response_model=LastHourDocument)
def last_hour(
    request: Request, user: Viewer, host: Annotated[str, Path(max_length=253)]
) -> Response:
    """What its reporter told while somebody looked: GPUs and instances over the last hour."""
    with context_of(request).run() as run:
        site = seen_by(user, run.site)
    if host not in site.hosts:
        raise HTTPException(404, "there is no host of this name")
    instances = None if user.models is None else frozenset(c.name for c in site.on(host))
    with context_of(request).feed() as feed:
        return answer(last_hour_document(host, feed.last_hour(host), instances=instances))


def hub_of(request: Request) -> Hub:
    hub: Hub = request.app.state.hub
    return hub
