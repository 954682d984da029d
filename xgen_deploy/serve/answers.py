"""Answers in JSON: documents, and errors in the same form as a command's."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException as RoutingError
from starlette.responses import Response

from xgen_deploy.documents.base import Document
from xgen_deploy.documents.error_entry import ErrorEntry, entries_of
from xgen_deploy.errors import LockedError, UnreachableError, UsageError, XgenError
from xgen_deploy.faults import what_failed
from xgen_deploy.manifest.diagnostics import ManifestError
from xgen_deploy.serve.changes.refused import Refused
from xgen_deploy.visible import json_text

# Every endpoint answers these, too.
ERRORS: dict[int | str, dict[str, object]] = {
    status: {"model": Document, "description": why}
    for status, why in {
        400: "what was asked for makes no sense",
        401: "log in first",
        403: "not for this user, or not from there",
        404: "there is no such thing",
        409: "the plan no longer holds, or another change is under way",
        405: "not with this method",
        408: "the request took too long to arrive",
        413: "the request is too large",
        415: "the request is not sent as JSON",
        421: "not a name of this server",
        422: "a parameter is wrong",
        429: "too many logins failed",
        500: "xgen-deploy itself failed",
        502: "a host could not be reached",
        503: "the manifest has errors",
    }.items()
}


def answer(document: Document, status: int = 200) -> Response:
    """A document as its command prints it."""
    return json_answer(document.model_dump(mode="json", by_alias=True), status)


def json_answer(
    value: object, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """`<` is escaped too: nothing that a host says is ever markup."""
    text = json_text(value).replace("<", "\\u003c")
    return Response(text, status, media_type="application/json", headers=headers)


def errors_answer(
    errors: Iterable[ErrorEntry], status: int, headers: Mapping[str, str] | None = None
) -> Response:
    return json_answer({"errors": [asdict(e) for e in errors]}, status, headers)


def add_error_answers(app: FastAPI) -> None:
    app.exception_handler(XgenError)(_told)
    app.exception_handler(RoutingError)(_refused)
    app.exception_handler(RequestValidationError)(_wrong)
    app.exception_handler(Exception)(_failed)


def status_of(error: XgenError) -> int:
    match error:
        case Refused():
            return error.status
        case ManifestError():
            return 503
        case UnreachableError():
            return 502
        case LockedError():
            return 409
        case UsageError():
            return 400
    return 500


async def _told(_: Request, error: XgenError) -> Response:
    return errors_answer(entries_of(error), status_of(error))


async def _refused(_: Request, error: RoutingError) -> Response:
    return errors_answer([ErrorEntry(message=str(error.detail))], error.status_code, error.headers)


async def _wrong(request: Request, error: RequestValidationError) -> Response:
    if _has_other_body(request):
        # Nothing of it was read: that is no answer about what it says.
        sentence = "send JSON, with the header `Content-Type: application/json`"
        return errors_answer([ErrorEntry(message=sentence)], 415)
    entries = [
        ErrorEntry(message=f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}")
        for problem in error.errors()
    ]
    return errors_answer(entries, 422)


def _has_other_body(request: Request) -> bool:
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return request.headers.get("content-length", "0") != "0" and not media.endswith("json")


async def _failed(_: Request, error: Exception) -> Response:
    sentence = f"xgen-deploy itself failed ({what_failed(error)}). Please report it."
    return errors_answer([ErrorEntry(message=sentence)], 500)
