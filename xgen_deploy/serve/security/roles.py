"""Who asks: a session's cookie, or a script's token. Every endpoint depends on `require`."""

from collections.abc import Callable
from typing import Annotated

from fastapi import Depends, HTTPException, Request

from xgen_deploy.serve.context import ServeContext, context_of
from xgen_deploy.serve.security.request_rules import SAFE_METHODS
from xgen_deploy.serve.security.sessions import Session, is_csrf
from xgen_deploy.serve.security.users import User
from xgen_deploy.state.serve import Role

CSRF_HEADER = "X-CSRF-Token"
_BEARER = "bearer "


def user_of(request: Request) -> User | None:
    """None for a stranger. Raises HTTPException where it is tried too often, or a change lacks the
    session's token."""
    context = context_of(request)
    token = _token(request)
    if token is not None:
        return _with_token(context, request, token)
    session = session_of(request)
    if session is None:
        return None
    if request.method not in SAFE_METHODS and not is_csrf(
        session, request.headers.get(CSRF_HEADER, "")
    ):
        raise HTTPException(403, f"the header {CSRF_HEADER} of this session is missing")
    return session.user


def session_of(request: Request) -> Session | None:
    """Of the cookie, with its user as he is now."""
    context = context_of(request)
    cookie = request.cookies.get(context.cookie_name, "")
    session = context.sessions.of(cookie) if cookie else None
    if session is None:
        return None
    user = context.users().still(session.user)
    if user is None:
        context.sessions.end(cookie)
        return None
    return Session(user, session.csrf, session.began, session.seen)


def require(role: Role) -> Callable[[Request], User]:
    """A dependency: the user, who may do what this role may."""

    def allowed_user(request: Request) -> User:
        user = user_of(request)
        if user is None:
            raise HTTPException(401, "log in first", {"WWW-Authenticate": "Bearer"})
        if not user.may(role):
            raise HTTPException(403, f"this takes the role {role}; {user.name} is {user.role}")
        request.state.user = user
        return user

    return allowed_user


def stays(request: Request, role: Role) -> Callable[[], bool]:
    """Whether the user of a stream that is open may still read it. That it is open is no sign that
    anybody is there: it ends with its session."""
    context, user = context_of(request), request.state.user
    cookie = request.cookies.get(context.cookie_name, "")
    by_token = _token(request) is not None

    def may_stay() -> bool:
        now = context.users().still(user)
        same = now is not None and (now.role, now.hosts, now.models) == (
            user.role,
            user.hosts,
            user.models,
        )
        return same and user.may(role) and (by_token or context.sessions.goes_on(cookie))

    return may_stay


Viewer = Annotated[User, Depends(require("viewer"))]
Operator = Annotated[User, Depends(require("operator"))]
Admin = Annotated[User, Depends(require("admin"))]


def too_often(context: ServeContext, address: str, name: str) -> None:
    """Raises HTTPException while logins that failed make the next one wait."""
    wait = context.rate_limit.wait(address, name)
    if wait > 0:
        seconds = str(int(wait) + 1)
        raise HTTPException(
            429, f"too many logins failed; try again in {seconds} s", {"Retry-After": seconds}
        )


def client_address(request: Request) -> str:
    return request.client.host if request.client else ""


def _token(request: Request) -> str | None:
    sent = request.headers.get("authorization", "")
    return sent[len(_BEARER) :].strip() if sent[: len(_BEARER)].lower() == _BEARER else None


def _with_token(context: ServeContext, request: Request, token: str) -> User | None:
    address = client_address(request)
    too_often(context, address, "")
    user = context.users().with_token(token)
    if user is None:
        context.rate_limit.failed(address, "")
    return user
