"""What an engine says of itself, and whether it answers."""

from __future__ import annotations

from typing import Any

from xgen_deploy.watch.relayed import BY_ENGINE
from xgen_deploy.watch.remote.exposition import ENGINE, read_page
from xgen_deploy.watch.remote.http_get import Response, Where, get
from xgen_deploy.watch.remote.samples import sample
from xgen_deploy.watch.remote.settings import engine_key
from xgen_deploy.watch.remote.sources import Answer

# Some engines answer /metrics between two batches only; their health tells then.
FOR_PAGE, FOR_HEALTH = 0.5, 0.35
HEALTH_MOST = 1 << 20
OK = 200


def ask_engine(engine: dict[str, Any], credentials: str | None, seconds: float) -> Answer:
    """Within so many seconds."""
    labels = {"instance": engine["instance"], "model": engine["model"]}
    where = Where(engine["address"], engine["port"], key=engine_key(engine, credentials))
    page, problem = _page(engine, where, seconds * FOR_PAGE)
    up = page is not None and page.status == OK
    up = up or _healthy(engine, where, seconds * FOR_HEALTH)
    samples = [sample("xgen_instance_up", up, **labels)]
    if page is None or page.status != OK:
        return Answer(samples, problem)
    try:
        return Answer(samples + read_page(page.body, BY_ENGINE[engine["page"]], labels))
    except ValueError as error:
        return Answer(samples, str(error))


def _page(
    engine: dict[str, Any], where: Where, seconds: float
) -> tuple[Response | None, str | None]:
    """Its page and why there is none; an engine that has none has no problem."""
    if engine["page"] not in BY_ENGINE:
        return None, None
    try:
        response = get(where, "/metrics", seconds, ENGINE.size)
    except (OSError, ValueError) as error:
        return None, str(error)
    return response, None if response.status == OK else f"/metrics answers {response.status}"


def _healthy(engine: dict[str, Any], where: Where, seconds: float) -> bool:
    try:
        return get(where, engine["health_path"], seconds, HEALTH_MOST).status == OK
    except (OSError, ValueError):
        return False
