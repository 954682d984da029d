"""`GET /api/history`."""

from fastapi import APIRouter, HTTPException, Request
from starlette.responses import Response

from xgen_deploy.apply.history import followed_entries
from xgen_deploy.documents.history import HistoryDocument, applies_of, history_document
from xgen_deploy.serve.answers import answer
from xgen_deploy.serve.context import context_of
from xgen_deploy.serve.security.roles import Viewer
from xgen_deploy.serve.security.scope import observed_of, seen_by
from xgen_deploy.transport.fleet import each

router = APIRouter()


@router.get("/api/history", tags=["state"], response_model=HistoryDocument)
def history(request: Request, user: Viewer) -> Response:
    """Every recorded apply, as `history --json` tells it."""
    if user.models is not None:  # an apply tells of all models of a host
        raise HTTPException(403, f"{user.name} is limited to models, and applies are of hosts")
    with context_of(request).observations() as observations:
        run = observations.run
        site = seen_by(user, run.site)
        observed = observed_of(site, observations.now())
        histories = each(
            [run.connections[host] for host in site.hosts],
            lambda connection: followed_entries(connection, run.layout(connection.name)),
        )
    return answer(history_document(applies_of(histories, observed), histories, observed))
