"""`GET /api/openapi.json`: what there is."""

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from xgen_deploy.serve.answers import json_answer
from xgen_deploy.serve.security.roles import Viewer

router = APIRouter()


@router.get("/api/openapi.json", tags=["about"], response_model=dict[str, Any])
def openapi(request: Request, user: Viewer) -> Response:  # noqa: ARG001 - a login is needed
    """This description."""
    return json_answer(request.app.openapi())
