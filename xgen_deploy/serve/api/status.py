"""`GET /api/status` and `GET /api/inference/loading-status`."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from xgen_deploy.documents.management import LoadingStatuses, loading_statuses
from xgen_deploy.documents.status import StatusDocument, status_document
from xgen_deploy.serve.answers import answer
from xgen_deploy.serve.context import context_of
from xgen_deploy.serve.security.roles import Viewer
from xgen_deploy.serve.security.scope import observed_of, seen_by
from xgen_deploy.serve.security.users import User
from xgen_deploy.verify.site_status import SiteStatus, site_status

router = APIRouter()


@router.get("/api/status", tags=["state"], response_model=StatusDocument)
def status(request: Request, user: Viewer) -> Response:
    """What runs, as `status --json` tells it."""
    return answer(status_document(_status(request, user)))


@router.get("/api/inference/loading-status", tags=["management"], response_model=LoadingStatuses)
def loading_status(request: Request, user: Viewer) -> Response:
    """Every instance: loading, running, failed, and why."""
    return answer(loading_statuses(_status(request, user)))


def _status(request: Request, user: User) -> SiteStatus:
    with context_of(request).observations() as observations:
        site = seen_by(user, observations.run.site)
        return site_status(site, observed_of(site, observations.now()))
