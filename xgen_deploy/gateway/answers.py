"""Responses that the gateway makes itself, in the format of the API that was called. Pure.

OpenAI's errors: https://platform.openai.com/docs/guides/error-codes; Anthropic's, for
`/v1/messages`: https://docs.anthropic.com/en/api/errors.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from xgen_deploy.state.routes import Route

BY_PATH = "POST it to /m/MODEL/v1/… instead, with the model's name in the path"
_ANTHROPIC = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
}
# These would end a quoted argument in a log-format expression; JSON can escape them.
_AS_JSON = {ord(c): f"\\u{ord(c):04x}" for c in "%'()[]"}


@dataclass(frozen=True)
class Answer:
    """An error response. `type`, `code` and `param` are OpenAI's; Anthropic's type follows from the
    status.
    """

    status: int
    message: str
    type: str = "invalid_request_error"
    code: str | None = None
    param: str | None = None

    @property
    def openai(self) -> str:
        error = {"message": self.message, "type": self.type}
        return json.dumps({"error": error | {"param": self.param, "code": self.code}})

    @property
    def anthropic(self) -> str:
        usual = "invalid_request_error" if self.status < 500 else "api_error"
        error = {"type": _ANTHROPIC.get(self.status, usual), "message": self.message}
        return json.dumps({"type": "error", "error": error})

    @property
    def either(self) -> str:
        """Both, as a HAProxy log format that `txn.messages` decides. 16 KB at most."""
        anthropic, openai = (text.translate(_AS_JSON) for text in (self.anthropic, self.openai))
        return f"%[var(txn.messages),iif('{anthropic}','{openai}')]"


def unavailable(message: str) -> Answer:
    return Answer(503, message, "service_unavailable_error", "service_unavailable")


def failures() -> tuple[Answer, ...]:
    """One for each status that HAProxy 2.4 and later can send by itself."""
    return (
        Answer(400, "The request is malformed."),
        Answer(401, "The API key is missing or wrong.", code="invalid_api_key"),
        Answer(403, "This request is not allowed."),
        Answer(404, "Unknown path.", code="unknown_url"),
        Answer(405, "This path does not allow this method.", code="method_not_allowed"),
        Answer(407, "This gateway is not a forward proxy."),
        Answer(408, "The request was not received completely in time.", code="timeout"),
        Answer(410, "This path no longer exists."),
        Answer(413, "The request is too large.", code="request_too_large"),
        Answer(421, "This request was meant for another server."),
        Answer(425, "The request was sent too early; retry it."),
        Answer(429, "Too many requests; try again later.", "rate_limit_error", "rate_limit"),
        Answer(500, "Internal error of the gateway.", "server_error"),
        Answer(501, "The gateway does not support this.", "server_error"),
        Answer(502, "The instance closed the connection before it answered.", "server_error"),
        unavailable("No instance of the model was available in time."),
        Answer(504, "The instance did not answer in time.", "server_error", "timeout"),
    )


def unnamed(routes: Sequence[Route]) -> Answer:
    text = f"The request's JSON names no model; {BY_PATH}. Models: {names(routes)}."
    return Answer(400, text, code="model_required", param="model")


def unknown(routes: Sequence[Route]) -> Answer:
    text = f"There is no model of this name. Models: {names(routes)}."
    return Answer(404, text, code="model_not_found", param="model")


def model_card(route: Route) -> dict[str, object]:
    """One model as `GET /v1/models/NAME` shows it; its creation time is unknown here."""
    return {"id": route.model, "object": "model", "created": 0, "owned_by": "xgen-deploy"}


def _cards(route: Route) -> list[dict[str, object]]:
    """The model, then its further names: each a model of its own to clients that list them."""
    card = model_card(route)
    return [card, *({**card, "id": name, "root": route.model} for name in route.names)]


def model_list(routes: Sequence[Route]) -> str:
    return json.dumps({"object": "list", "data": [card for r in routes for card in _cards(r)]})


def names(routes: Sequence[Route]) -> str:
    return ", ".join(name for r in routes for name in (r.model, *r.names)) or "none"
