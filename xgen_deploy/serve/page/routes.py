"""The page and its parts, as HTML."""

from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Query, Request
from starlette.responses import RedirectResponse, Response

from xgen_deploy.documents.history import applies_of
from xgen_deploy.documents.plan import plan_document
from xgen_deploy.live.merged import with_values
from xgen_deploy.live.values import Gone, HostValues
from xgen_deploy.serve.api.logs import check_instance
from xgen_deploy.serve.context import ServeContext, context_of
from xgen_deploy.serve.histories import histories_of
from xgen_deploy.serve.page.history_view import ApplyRow, apply_rows
from xgen_deploy.serve.page.hosts_view import HostCard, host_cards
from xgen_deploy.serve.page.language import COOKIE, LANGUAGES
from xgen_deploy.serve.page.listing import listing
from xgen_deploy.serve.page.models_view import InstanceRow, instance_rows
from xgen_deploy.serve.page.pages import page
from xgen_deploy.serve.page.plan_view import plan_view
from xgen_deploy.serve.planning import plan_of
from xgen_deploy.serve.security.login import LOGIN_PAGE
from xgen_deploy.serve.security.roles import Operator, Viewer, session_of
from xgen_deploy.serve.security.scope import observed_of, seen_by
from xgen_deploy.verify.site_status import site_status

router = APIRouter(include_in_schema=False)
Search = Annotated[str, Query(max_length=200)]
PageNumber = Annotated[int, Query(alias="page", ge=1, le=10_000)]
Name = Annotated[str, Query(max_length=253)]
_YEAR = 365 * 24 * 3600


def chosen_language(request: Request) -> None:
    """`?language=` is kept, and the same page shown without it. Raises HTTPException."""
    chosen = request.query_params.get("language")
    if chosen in LANGUAGES:
        cookie = f"{COOKIE}={chosen}; Max-Age={_YEAR}; Path=/; SameSite=Strict"
        raise HTTPException(303, headers={"Location": request.url.path, "Set-Cookie": cookie})


@router.get("/", dependencies=[Depends(chosen_language)])
def whole(request: Request) -> Response:
    """The page; strangers get to log in first."""
    session = session_of(request)
    if session is None:
        return RedirectResponse(LOGIN_PAGE, 303)
    context = context_of(request)
    return page(
        request,
        "page",
        project=context.site().project,
        user=session.user,
        csrf=session.csrf,
        changes=context.settings.changes,
    )


@router.get(LOGIN_PAGE, dependencies=[Depends(chosen_language)])
def login(request: Request) -> Response:
    """Where nobody has a password, a new link is printed where the program runs."""
    context = context_of(request)
    asks_for_password = bool(len(context.users()))
    if not asks_for_password:
        context.say_login_link()
    return page(request, "login", project=context.project, asks_for_password=asks_for_password)


@router.get("/page/hosts")
def hosts(request: Request, user: Viewer, search: Search = "", number: PageNumber = 1) -> Response:
    context = context_of(request)
    with context.observations() as observations:
        site = seen_by(user, observations.run.site)
        observed = observed_of(site, observations.now())
    cards = host_cards(site, with_values(observed, _latest(context)))
    return page(request, "hosts", part="hosts", list=listing(cards, _of_host, search, number))


@router.get("/page/models")
def models(request: Request, user: Viewer, search: Search = "", number: PageNumber = 1) -> Response:
    context = context_of(request)
    with context.observations() as observations:
        site = seen_by(user, observations.run.site)
        status = site_status(site, observed_of(site, observations.now()))
    rows = instance_rows(site, status, _latest(context))
    return page(
        request,
        "models",
        part="models",
        list=listing(rows, _of_instance, search, number),
        gateways=status.gateways,
        may_see_logs=user.may("operator"),
        may_change=user.may("operator") and context.settings.changes != "off",
    )


@router.get("/page/plan")
def plan(request: Request, user: Viewer) -> Response:
    """What an apply would change."""
    context = context_of(request)
    with context.observations() as observations:
        run = observations.run
        site = seen_by(user, run.site)
        document = plan_document(plan_of(run, site, observations.for_plan()))
    return page(request, "plan", plan=plan_view(document))


@router.get("/page/history")
def history(
    request: Request, user: Viewer, search: Search = "", number: PageNumber = 1
) -> Response:
    """Every recorded apply, those that failed too. An apply tells of all models of a host."""
    context = context_of(request)
    applies = {} if user.models is not None else applies_of(*histories_of(context, user))
    shown = listing(apply_rows(applies), _of_apply, search, number)
    may_roll_back = user.may("admin") and context.settings.changes == "apply"
    return page(request, "history", part="history", list=shown, may_roll_back=may_roll_back)


@router.get("/page/log")
def log(request: Request, user: Operator, host: Name, instance: Name) -> Response:
    """The place that a log is streamed to, from the API."""
    check_instance(seen_by(user, context_of(request).site()), host, instance)
    return page(request, "log", host=host, instance=instance)


def _latest(context: ServeContext) -> Mapping[str, HostValues | Gone]:
    with context.feed() as feed:
        return feed.latest()


def _of_apply(row: ApplyRow) -> str:
    return " ".join((str(row.number), row.at, row.by, row.what, row.outcome or "", *row.changes))


def _of_host(card: HostCard) -> str:
    names = (gpu.name for gpu in card.gpus)
    return " ".join((card.name, card.kind or "", *names, *card.runs, *card.can_run))


def _of_instance(row: InstanceRow) -> str:
    status = row.status
    return f"{status.host} {status.instance} {status.model_id} {status.status} {row.backend}"
