"""What the gateway itself answers, in OpenAI's shapes: JSON texts."""

import json
from collections.abc import Sequence

from xgen_deploy.gateway.routes import Route


def error(message: str, kind: str, code: str | None, param: str | None = None) -> str:
    """https://platform.openai.com/docs/guides/error-codes: the body of a failed request."""
    return json.dumps({"error": {"message": message, "type": kind, "param": param, "code": code}})


def invalid(message: str, code: str | None, param: str | None = None) -> str:
    return error(message, "invalid_request_error", code, param)


def unavailable(message: str) -> str:
    return error(message, "service_unavailable_error", "service_unavailable")


def model_card(route: Route) -> dict[str, object]:
    """One model as `GET /v1/models/NAME` shows it; when it was made is not known here."""
    return {"id": route.model, "object": "model", "created": 0, "owned_by": "xgen-deploy"}


def model_list(routes: Sequence[Route]) -> str:
    return json.dumps({"object": "list", "data": [model_card(r) for r in routes]})


def names(routes: Sequence[Route]) -> str:
    return ", ".join(r.model for r in routes) or "none"
