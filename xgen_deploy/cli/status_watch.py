"""`status --watch` on a terminal: states every few seconds, GPUs and rates as they come."""

import threading
import time
from collections.abc import Callable

from xgen_deploy.cli.screens.watch import watch_lines
from xgen_deploy.cli.watching import Redraw, watch
from xgen_deploy.live.feed import Subscription
from xgen_deploy.live.site_feed import site_feed
from xgen_deploy.plan.out_of_service import in_force
from xgen_deploy.run.run import Run
from xgen_deploy.verify.site_status import SiteStatus, site_status

_STATES_EVERY = 5.0  # seconds
_CLOCK_EVERY = 1.0


class Looking:
    """The last look at the hosts, taken again and again in a thread of its own."""

    def __init__(self, run: Run, redraw: Redraw) -> None:
        self._run, self._redraw = run, redraw
        self.status = look(run)
        self.error: Exception | None = None
        self._ended = threading.Event()
        threading.Thread(target=self._look_again, daemon=True).start()

    def end(self) -> None:
        self._ended.set()

    def _look_again(self) -> None:
        while not self._ended.wait(_STATES_EVERY):
            try:
                self.status = look(self._run)
            except Exception as error:  # noqa: BLE001
                self.error = error
            self._redraw.now()


def look(run: Run) -> SiteStatus:
    return site_status(run.site, in_force(run.observe(health=True), time.time()))


def watch_status(run: Run, narrowed: Callable[[SiteStatus], SiteStatus]) -> int:
    """Until `q`; the exit code of the last look. `narrowed`: what of it is asked for."""
    redraw = Redraw()
    looking = Looking(run, redraw)
    feed = site_feed(run, lambda: looking.status.observed)

    def lines(size: tuple[int, int]) -> list[str]:
        if looking.error is not None:
            raise looking.error
        status = narrowed(looking.status)
        return watch_lines(run.site, status, feed.latest(), time.time(), size)

    try:
        with feed.subscribe() as values:
            threading.Thread(target=_redraw_with, args=(values, redraw), daemon=True).start()
            watch(lines, redraw, _CLOCK_EVERY)
    finally:
        looking.end()
        feed.close()
    return narrowed(looking.status).exit_code


def _redraw_with(values: Subscription, redraw: Redraw) -> None:
    while True:
        if values.next(60.0) is not None:
            redraw.now()
