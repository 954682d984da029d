"""`GET /metrics`."""

from fastapi import APIRouter, Request
from starlette.responses import PlainTextResponse

from xgen_deploy.serve.context import context_of
from xgen_deploy.serve.metrics_page import metrics_page
from xgen_deploy.serve.security.roles import Viewer
from xgen_deploy.serve.security.scope import observed_of, seen_by
from xgen_deploy.verify.site_status import site_status

router = APIRouter()


@router.get("/metrics", tags=["about"], response_class=PlainTextResponse)
def metrics(request: Request, user: Viewer) -> PlainTextResponse:
    """GPUs and instances for Prometheus, by one look at the hosts; see `monitoring` for more."""
    with context_of(request).observations() as observations:
        site = seen_by(user, observations.run.site)
        observed = observed_of(site, observations.now())
    text = metrics_page(site, observed, site_status(site, observed))
    return PlainTextResponse(text, media_type="text/plain; version=0.0.4; charset=utf-8")
