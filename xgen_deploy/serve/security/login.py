"""Logging in and out."""

from typing import Annotated

from fastapi import APIRouter, HTTPException, Request
from pydantic import Field
from starlette.responses import RedirectResponse, Response

from xgen_deploy.documents.base import Document
from xgen_deploy.frozen import Frozen
from xgen_deploy.serve.answers import answer
from xgen_deploy.serve.context import ServeContext, context_of
from xgen_deploy.serve.security.roles import Viewer, client_address, session_of, too_often
from xgen_deploy.serve.security.sessions import LONGEST, Session
from xgen_deploy.serve.security.users import User, link_user
from xgen_deploy.state.serve import Changes, Role
from xgen_deploy.visible import printable

router = APIRouter()
LINK = "/login/link"
LOGIN_PAGE = "/login"


class Login(Frozen):
    name: Annotated[str, Field(max_length=64)]
    password: Annotated[str, Field(max_length=1024)]


class SessionDocument(Document):
    """`hosts` and `models` None: all of them. `csrf` goes into the header X-CSRF-Token of what
    changes something; None for a script's token, which needs none."""

    user: str
    role: Role
    hosts: tuple[str, ...] | None
    models: tuple[str, ...] | None
    changes: Changes
    csrf: str | None


@router.get(LINK, include_in_schema=False)
def by_link(request: Request, t: str = "") -> Response:
    """The link that was printed, which works once."""
    context, address = context_of(request), client_address(request)
    too_often(context, address, "")
    if len(context.users()) or not context.login_link.use(t):
        context.rate_limit.failed(address, "")
        return RedirectResponse(LOGIN_PAGE, 303)
    return _begin(context, request, link_user(context.login), RedirectResponse("/", 303))


@router.post("/api/login", tags=["session"], response_model=SessionDocument)
def by_password(request: Request, login: Login) -> Response:
    """Begins a session, whose cookie comes with the answer."""
    context, address = context_of(request), client_address(request)
    with context.hashing:
        too_often(context, address, login.name)  # not before: many may wait here at once
        user = context.users().with_password(login.name, login.password)
        if user is None:
            context.rate_limit.failed(address, login.name)
    if user is None:
        context.say(printable(f"login of {login.name[:64]!r} from {address} failed"))
        raise HTTPException(401, "the name or the password is wrong")
    return _begin(context, request, user, None)


@router.get("/api/session", tags=["session"], response_model=SessionDocument)
def session(request: Request, user: Viewer) -> Response:
    """Who is logged in, and what he may do."""
    return answer(_document(context_of(request), user, session_of(request)))


@router.post("/api/logout", tags=["session"], response_model=Document)
def logout(request: Request, user: Viewer) -> Response:  # noqa: ARG001 - of a session of its own
    """Ends the session."""
    context = context_of(request)
    context.sessions.end(request.cookies.get(context.cookie_name, ""))
    response = answer(Document())
    response.delete_cookie(context.cookie_name, path="/")
    return response


def _begin(
    context: ServeContext, request: Request, user: User, response: Response | None
) -> Response:
    cookie, begun = context.sessions.begin(user)
    response = response or answer(_document(context, user, begun))
    response.set_cookie(
        context.cookie_name,
        cookie,
        max_age=int(LONGEST),
        path="/",
        httponly=True,
        samesite="strict",
        secure=context.settings.tls is not None,
    )
    context.say(printable(f"login of {user.name} from {client_address(request)}"))
    return response


def _document(context: ServeContext, user: User, begun: Session | None) -> SessionDocument:
    return SessionDocument(
        user=user.name,
        role=user.role,
        hosts=user.hosts,
        models=user.models,
        changes=context.settings.changes,
        csrf=begun.csrf if begun else None,
    )
