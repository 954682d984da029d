"""`GET /api/management/gpus`."""

from typing import Annotated

from fastapi import APIRouter, HTTPException, Query, Request
from starlette.responses import Response

from xgen_deploy.documents.management import ManagedGPUs, managed_gpus
from xgen_deploy.serve.answers import answer
from xgen_deploy.serve.context import context_of
from xgen_deploy.serve.security.roles import Viewer
from xgen_deploy.serve.security.scope import observed_of, seen_by

router = APIRouter()
HostName = Annotated[str | None, Query(max_length=253, description="This host alone.")]


@router.get("/api/management/gpus", tags=["management"], response_model=ManagedGPUs)
def gpus(request: Request, user: Viewer, host: HostName = None) -> Response:
    """The GPUs of all hosts, and what each host can run."""
    with context_of(request).observations() as observations:
        site = seen_by(user, observations.run.site)
        if host is not None and host not in site.hosts:
            raise HTTPException(404, "there is no host of this name")
        observed = observed_of(site, observations.now())
    if host is not None:
        observed = {host: observed[host]}
    return answer(managed_gpus(site, observed))
