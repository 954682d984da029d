"""What a change would come to, made again and again while somebody chooses: a host is asked once
for a model, and what it said is used for a while.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from xgen_deploy.serve.changes.change import Asked
from xgen_deploy.serve.changes.planned import Planned, plan_over
from xgen_deploy.serve.changes.preparing import prepared_edit
from xgen_deploy.serve.changes.requests import LoadRequest, UnloadRequest
from xgen_deploy.serve.changes.shown import shown_diff, shown_plan
from xgen_deploy.serve.security.users import User
from xgen_deploy.state.observation import Observed
from xgen_deploy.state.plan import Plan
from xgen_deploy.state.site import Site

if TYPE_CHECKING:
    from xgen_deploy.serve.context import ServeContext

FRESH = 30.0
_MOST = 20


@dataclass(frozen=True)
class Preview:
    """The `diff` of the manifest and the plan, as far as the user may see them."""

    asked: Asked
    diff: str
    plan: Plan


def preview(context: "ServeContext", user: User, request: LoadRequest | UnloadRequest) -> Preview:
    """Raises Refused, or XgenError where the manifest or a host is not as it should be."""
    editing = context.changes.editing
    prepared = prepared_edit(editing.manifest, context.site(), user, request)
    planned = _planned(context, prepared.site, request)
    return Preview(
        asked=prepared.asked,
        diff=shown_diff(prepared.asked.edit, editing.manifest.path, user),
        plan=shown_plan(planned, user),
    )


def _planned(context: "ServeContext", site: Site, request: LoadRequest | UnloadRequest) -> Planned:
    key = (request.host, getattr(request, "model", ""), getattr(request, "backend", None) or "")
    with context.opened(site) as run:
        observed = context.changes.seen.value(key, lambda: run.observe(to_bring=True))
        return plan_over(run, observed)


class Seen:
    """What hosts said, by what was asked about. Thread-safe."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._known: dict[tuple[str, ...], tuple[float, Observed]] = {}

    def value(self, key: tuple[str, ...], ask: Callable[[], Observed]) -> Observed:
        with self._lock:
            known = self._known.get(key)
        if known is not None and self._clock() - known[0] < FRESH:
            return known[1]
        observed = ask()
        with self._lock:
            self._known[key] = (self._clock(), observed)
            while len(self._known) > _MOST:
                del self._known[next(iter(self._known))]
        return observed

    def forget(self) -> None:
        with self._lock:
            self._known.clear()
