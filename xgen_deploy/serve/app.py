"""The application: its parts, in their order."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from xgen_deploy import __version__
from xgen_deploy.serve.answers import ERRORS, add_error_answers
from xgen_deploy.serve.api import (
    about,
    changes,
    gpus,
    health,
    history,
    live,
    logs,
    metrics,
    plan,
    status,
)
from xgen_deploy.serve.context import ServeContext
from xgen_deploy.serve.live.changes import tell_changes
from xgen_deploy.serve.live.hub import Hub
from xgen_deploy.serve.page import changing, routes
from xgen_deploy.serve.page.static_files import OwnFiles
from xgen_deploy.serve.security import login
from xgen_deploy.serve.security.gate import Gate
from xgen_deploy.serve.settings import known_hosts

_ROUTERS = (
    health.router,
    about.router,
    login.router,
    gpus.router,
    status.router,
    plan.router,
    history.router,
    logs.router,
    live.router,
    metrics.router,
    changes.router,
    routes.router,
    changing.router,
)


def create_app(context: ServeContext) -> FastAPI:
    hub = Hub(context)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        context.close()
        await asyncio.to_thread(hub.close)

    app = FastAPI(
        title="xgen-deploy",
        version=__version__,
        docs_url=None,  # their scripts come from elsewhere
        redoc_url=None,
        openapi_url=None,
        lifespan=lifespan,
        redirect_slashes=False,
        responses=ERRORS,
    )
    app.state.context = context
    app.state.hub = hub
    context.on_change.append(hub.look_again)
    tell_changes(context.changes, hub)
    for router in _ROUTERS:
        app.include_router(router)
    app.mount("/static", OwnFiles())
    add_error_answers(app)
    app.add_middleware(Gate, known_hosts=known_hosts(context.settings))
    return app
