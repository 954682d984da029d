"""The page's dialogs that change something: what is asked for, its plan, how it goes on."""

from collections.abc import Iterable
from typing import Annotated

from fastapi import APIRouter, Path, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from xgen_deploy.documents.error_entry import ErrorEntry
from xgen_deploy.errors import XgenError
from xgen_deploy.serve.changes.change import Change
from xgen_deploy.serve.changes.preparing import model_names
from xgen_deploy.serve.changes.preview import preview
from xgen_deploy.serve.changes.refused import Refused
from xgen_deploy.serve.changes.requests import ApplyRequest, LoadRequest
from xgen_deploy.serve.changes.shown import shown_diff, shown_document
from xgen_deploy.serve.context import context_of
from xgen_deploy.serve.page.asked_form import Form, asked_by, read_form
from xgen_deploy.serve.page.deploy_view import deploy_form
from xgen_deploy.serve.page.forecast_view import forecast_view
from xgen_deploy.serve.page.pages import page
from xgen_deploy.serve.page.plan_view import plan_view
from xgen_deploy.serve.security.roles import Operator
from xgen_deploy.serve.security.scope import observed_of, seen_by
from xgen_deploy.serve.security.users import User

router = APIRouter(include_in_schema=False)
ChangeId = Annotated[str, Path(max_length=40)]


@router.post("/page/deploy")
async def deploy(request: Request, user: Operator) -> Response:
    """The form; what was chosen in it so far is kept."""
    form = read_form(await request.body())
    try:
        return await run_in_threadpool(_deploy, request, user, form)
    except XgenError as error:
        return _refused(request, error)


@router.post("/page/forecast")
async def forecast(request: Request, user: Operator) -> Response:
    """What the choice would take, while the slider moves."""
    form = read_form(await request.body())
    return await run_in_threadpool(_forecast, request, user, form)


@router.post("/page/changes")
async def ask(request: Request, user: Operator) -> Response:
    """The edit of the manifest and the plan, to be approved."""
    form = read_form(await request.body())
    return await run_in_threadpool(_ask, request, user, form)


@router.post("/page/changes/{change_id}/apply")
async def apply_change(request: Request, user: Operator, change_id: ChangeId) -> Response:
    """It is carried out, or proposed."""
    form = read_form(await request.body())
    return await run_in_threadpool(_apply, request, user, change_id, form)


@router.post("/page/changes/{change_id}/undo")
def undo(request: Request, user: Operator, change_id: ChangeId) -> Response:
    """The edit of a failed change is taken back."""
    try:
        change = context_of(request).changes.undo(user, change_id)
    except XgenError as error:
        return _refused(request, error)
    return _shown(request, user, change)


@router.get("/page/changes/{change_id}")
def shown(request: Request, user: Operator, change_id: ChangeId) -> Response:
    """How it stands."""
    try:
        change = context_of(request).changes.of(user, change_id)
    except XgenError as error:
        return _refused(request, error)
    return _shown(request, user, change)


def _deploy(request: Request, user: User, form: Form) -> Response:
    context = context_of(request)
    with context.observations() as observations:
        site = seen_by(user, observations.run.site)
        observed = observed_of(site, observations.now())
    names = model_names(context.changes.editing.manifest)
    models = tuple(m for m in names if user.models is None or m in user.models)
    edited = next(
        (d for d in site.declared if (d.host, d.name) == (form.text("host"), form.text("edited"))),
        None,
    )
    return page(
        request,
        "deploy",
        form=deploy_form(site, observed, models, form, edited),
        edited=edited.name if edited is not None else "",
    )


def _forecast(request: Request, user: User, form: Form) -> Response:
    try:
        asked = asked_by(form)
        if not isinstance(asked, LoadRequest):
            raise Refused(422, "only what is deployed has a forecast")
        plan = preview(context_of(request), user, asked).plan
        view = forecast_view(plan, asked.host, asked.name or asked.model)
    except XgenError as error:
        return page(request, "no_forecast", reason=str(error))
    return page(request, "forecast", view=view)


def _ask(request: Request, user: User, form: Form) -> Response:
    try:
        change = context_of(request).changes.propose(user, asked_by(form))
    except XgenError as error:
        return _refused(request, error)
    return _shown(request, user, change)


def _apply(request: Request, user: User, change_id: str, form: Form) -> Response:
    changes = context_of(request).changes
    asked = ApplyRequest(fingerprint=form.text("fingerprint"), name=form.text("typed") or None)
    try:
        change = changes.apply(user, change_id, asked)
    except XgenError as error:
        return _refused(request, error)
    return _shown(request, user, change)


def _shown(request: Request, user: User, change: Change) -> Response:
    return page(
        request,
        "change",
        change=change,
        diff=shown_diff(change.asked.edit, change.manifest, user),
        plan=plan_view(shown_document(change.planned, user)),
        may_apply=user.may(change.terms.role) and change.terms.blocked is None,
        failures=_failures(change.document(user, whole=False).errors),
        proposes=context_of(request).settings.changes == "propose",
    )


def _failures(errors: Iterable[ErrorEntry]) -> tuple[str, ...]:
    """As `HOST/INSTANCE: what failed`."""
    places = (("/".join(filter(None, (e.host, e.instance))), e.message) for e in errors)
    return tuple(": ".join(filter(None, place)) for place in places)


def _refused(request: Request, error: XgenError) -> Response:
    hint = getattr(error, "hint", "") or ""
    return page(request, "refused", reason=str(error), hint=hint)
