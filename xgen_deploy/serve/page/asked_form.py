"""What a form of the page asks for. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qs

from pydantic import ValidationError

from xgen_deploy.serve.changes.refused import Refused
from xgen_deploy.serve.changes.requests import (
    ActionRequest,
    LoadRequest,
    Request,
    RollbackRequest,
    UnloadRequest,
)

_ACTIONS = ("start", "stop", "restart")
_WHOLE = ("n_ctx", "parallel")
_MOST_FIELDS = 300
_LONGEST_NUMBER = 9


@dataclass(frozen=True)
class Form:
    """The fields of a form, as they were sent."""

    fields: Mapping[str, list[str]]

    def text(self, name: str) -> str:
        return self.fields.get(name, [""])[0].strip()

    def texts(self, name: str) -> tuple[str, ...]:
        return tuple(self.fields.get(name, ()))

    def numbers(self, name: str) -> tuple[int, ...]:
        return tuple(n for n in map(_number, self.texts(name)) if isinstance(n, int))


def read_form(body: bytes) -> Form:
    """Of `application/x-www-form-urlencoded`. Raises Refused."""
    text = body.decode("utf-8", "replace")
    try:
        return Form(parse_qs(text, keep_blank_values=True, max_num_fields=_MOST_FIELDS))
    except ValueError:
        raise Refused(400, "this form has more fields than any of the page") from None


def asked_by(form: Form) -> Request:
    """Raises Refused for what no request can be."""
    what = form.text("what")
    try:
        if what == "load":
            return LoadRequest.model_validate(_load(form))
        place = {"host": form.text("host"), "name": form.text("name")}
        if what == "rollback":
            return RollbackRequest(to=int(form.text("to")))
        if what == "remove":
            return UnloadRequest.model_validate(place)
        if what in _ACTIONS:
            return ActionRequest.model_validate({**place, "action": what})
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"][:1]))
        raise Refused(422, f"{field}: {first['msg']}") from None
    except ValueError:
        raise Refused(422, "`to` is the number of an apply") from None
    raise Refused(422, "nothing that the page knows was asked for")


def _load(form: Form) -> dict[str, object]:
    """A field that is left empty stays as it is."""
    values: dict[str, object] = {"model": form.text("model"), "host": form.text("host")}
    for field in ("name", "backend"):
        if form.text(field):
            values[field] = form.text(field)
    gpus = form.numbers("gpu")
    if form.text("chooses_gpus"):
        values["gpus"] = gpus
    layers = "all" if form.text("all_layers") else form.text("n_gpu_layers")
    if gpus and layers:
        values["n_gpu_layers"] = _number(layers)
    for field in _WHOLE:
        if form.text(field):
            values[field] = _number(form.text(field))
    if form.text("gpu_memory_utilization"):
        values["gpu_memory_utilization"] = form.text("gpu_memory_utilization")
    return values


def _number(text: str) -> int | str:
    """What is none stays as it is: the request says what is wrong with it."""
    return int(text) if text.isdecimal() and len(text) <= _LONGEST_NUMBER else text
