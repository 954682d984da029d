"""`GET /api/plan`."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from xgen_deploy.documents.plan import PlanDocument, plan_document
from xgen_deploy.serve.answers import answer
from xgen_deploy.serve.context import context_of
from xgen_deploy.serve.planning import plan_of
from xgen_deploy.serve.security.roles import Viewer
from xgen_deploy.serve.security.scope import seen_by

router = APIRouter()


@router.get("/api/plan", tags=["state"], response_model=PlanDocument)
def plan(request: Request, user: Viewer) -> Response:
    """What an apply would change, as `plan --json` tells it."""
    with context_of(request).observations() as observations:
        run = observations.run
        site = seen_by(user, run.site)
        return answer(plan_document(plan_of(run, site, observations.for_plan())))
