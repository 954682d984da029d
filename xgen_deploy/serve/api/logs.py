"""`GET /api/instances/{host}/{instance}/logs`, as it comes. Prompts may be in logs: a viewer gets
none."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Annotated

from fastapi import APIRouter, HTTPException, Path, Query, Request
from starlette.responses import StreamingResponse

from xgen_deploy.errors import XgenError
from xgen_deploy.resolve.gateway_needs import is_gateway_host
from xgen_deploy.run.logs.lines import LineSplitter
from xgen_deploy.run.logs.request import LogRequest, log_argv
from xgen_deploy.serve.context import ServeContext, context_of
from xgen_deploy.serve.security.roles import Operator, stays
from xgen_deploy.serve.security.scope import seen_by
from xgen_deploy.state.gateway import GATEWAY
from xgen_deploy.state.site import Site
from xgen_deploy.visible import printable

router = APIRouter()
_MOST = 10_000  # lines at once
_AHEAD = 100  # pieces that a slow reader may be behind
_LOOK_UP = 1.0  # seconds
_READERS = threading.BoundedSemaphore(20)
Name = Annotated[str, Path(max_length=253)]


@router.get(
    "/api/instances/{host}/{instance}/logs",
    tags=["state"],
    response_class=StreamingResponse,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
def logs(
    request: Request,
    user: Operator,
    host: Name,
    instance: Name,
    lines: Annotated[int, Query(ge=0, le=_MOST)] = 200,
    follow: bool = False,
) -> StreamingResponse:
    """The last lines of an instance or of the gateway, and with `follow` those that come."""
    context = context_of(request)
    with context.run() as run:
        check_instance(seen_by(user, run.site), host, instance)
        argv = log_argv(run.layout(host), (instance,), LogRequest(lines=lines, follow=follow))
    return StreamingResponse(
        _text(context, host, argv, stays(request, "operator")),
        media_type="text/plain; charset=utf-8",
    )


def check_instance(site: Site, host: str, instance: str) -> None:
    """Raises HTTPException for one without a log that this part of the site has."""
    known = {config.name for config in site.on(host)} if host in site.hosts else set()
    if host in site.hosts and not site.limited_models and is_gateway_host(site, host):
        known.add(GATEWAY)
    if instance not in known:
        raise HTTPException(404, "there is no such instance on a host of this name")


class _NobodyReads(Exception):
    """Ends a command that goes on."""


async def _text(
    context: ServeContext, host: str, argv: list[str], stays: Callable[[], bool]
) -> AsyncIterator[str]:
    """The command runs in a thread of its own, and ends with whoever reads it."""
    if not _READERS.acquire(blocking=False):
        yield "too many logs are being read; try again later\n"
        return
    reader = _Reader(asyncio.get_running_loop())
    threading.Thread(target=reader.run, args=(context, host, argv), daemon=True).start()
    try:
        while stays():
            with suppress(TimeoutError):
                piece = await asyncio.wait_for(reader.pieces.get(), _LOOK_UP)
                if piece is None:
                    return
                yield piece
    finally:
        reader.over.set()


class _Reader:
    """Hands a command's lines from its thread to the loop, no faster than they are read."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.pieces: asyncio.Queue[str | None] = asyncio.Queue(_AHEAD)
        self.over = threading.Event()
        self._loop = loop
        self._lines: list[str] = []
        self._splitter = LineSplitter(self._add)

    def run(self, context: ServeContext, host: str, argv: list[str]) -> None:
        try:
            with context.run() as run:
                run.connections[host].follow(argv, take=self._take)
            self._splitter.end()
        except _NobodyReads:
            return
        except XgenError as error:
            self._lines.append(printable(str(error)) + "\n")
        finally:
            _READERS.release()
            with suppress(_NobodyReads):
                self._hand_on()
                self._put(None)

    def _add(self, line: bytes) -> None:
        self._lines.append(printable(line.decode(errors="backslashreplace")) + "\n")

    def _take(self, piece: bytes) -> None:
        self._splitter(piece)
        self._hand_on()

    def _hand_on(self) -> None:
        if self.over.is_set():
            raise _NobodyReads
        if self._lines:
            text, self._lines = "".join(self._lines), []
            self._put(text)

    def _put(self, piece: str | None) -> None:
        try:
            put = asyncio.run_coroutine_threadsafe(self.pieces.put(piece), self._loop)
        except RuntimeError:  # the program ends
            raise _NobodyReads from None
        while True:
            try:
                return put.result(_LOOK_UP)
            except TimeoutError:
                if self.over.is_set():
                    put.cancel()
                    raise _NobodyReads from None
