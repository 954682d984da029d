"""`GET /api/history`."""

from fastapi import APIRouter, HTTPException, Request
from starlette.responses import Response

from xgen_deploy.documents.history import HistoryDocument, applies_of, history_document
from xgen_deploy.serve.answers import answer
from xgen_deploy.serve.context import context_of
from xgen_deploy.serve.histories import histories_of
from xgen_deploy.serve.security.roles import Viewer

router = APIRouter()


@router.get("/api/history", tags=["state"], response_model=HistoryDocument)
def history(request: Request, user: Viewer) -> Response:
    """Every recorded apply, as `history --json` tells it."""
    if user.models is not None:  # an apply tells of all models of a host
        raise HTTPException(403, f"{user.name} is limited to models, and applies are of hosts")
    histories, observed = histories_of(context_of(request), user)
    return answer(history_document(applies_of(histories, observed), histories, observed))
