"""Renders the page's templates."""

from functools import lru_cache
from importlib.resources import files

from jinja2 import DictLoader, Environment, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse

from xgen_deploy.serve.page.language import Texts, language_of
from xgen_deploy.visible import visible


def page(request: Request, name: str, status: int = 200, **values: object) -> HTMLResponse:
    """A template's text, in the browser's language; every value is escaped."""
    texts = Texts(language_of(request))
    text = _templates().get_template(f"{name}.html.j2").render(t=texts, figure=figure, **values)
    return HTMLResponse(text, status)


def figure(value: float | None, digits: int = 0) -> str:
    """A dash where it is not known."""
    return "–" if value is None else f"{value:.{digits}f}"


@lru_cache
def _templates() -> Environment:
    folder = files("xgen_deploy.serve.page").joinpath("templates")
    texts = {file.name: file.read_text(encoding="utf-8") for file in folder.iterdir()}
    return Environment(
        loader=DictLoader(texts),
        undefined=StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        finalize=_visible,
    )


def _visible(value: object) -> object:
    """What a host says hides no text and changes no direction."""
    return visible(value) if type(value) is str else value
