"""Up is not enough: an instance is good when it has answered a real request of its kind and the
engine reported the layers, context and devices that were asked for.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

from xgen_deploy.apply.service_manager import ServiceManager, State
from xgen_deploy.backends.base import Backend
from xgen_deploy.backends.log_errors import complaint, telling
from xgen_deploy.log_lines import cut
from xgen_deploy.secret_text import SecretText
from xgen_deploy.state.exit_status import exit_words, out_of_memory, was_killed
from xgen_deploy.state.instance import Instance
from xgen_deploy.state.load_report import LoadReport
from xgen_deploy.transport.base import Session
from xgen_deploy.verify.checks import get, real_request, with_pages
from xgen_deploy.verify.compare import differences
from xgen_deploy.verify.vectors import KeptVectors

_POLL_FIRST = 0.05
_POLL_MOST = 1.0
_LINES = 15
_LOOK_BACK = 400
_REASON = 1000
SOAK = 2.0
_NO_REPORT = "the engine's log has no report of its start, so nothing proves that it runs as stated"


class GateFailed(Exception):
    """The instance failed its gate; `log` are the last lines of its start `run`."""

    def __init__(self, reason: str, log: tuple[str, ...], run: str | None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.log = log
        self.run = run


@dataclass(frozen=True)
class GatePassed:
    """What the engine reported, and which start of it that was. `vectors` are what the host is to
    keep of an embedding model from now on.
    """

    report: LoadReport
    run: str | None
    vectors: KeptVectors | None = None


class Gate:
    """One instance's gate. `api_key` goes into the request's header only."""

    def __init__(
        self,
        instance: Instance,
        service: str,
        backend: Backend,
        session: Session,
        service_manager: ServiceManager,
        api_key: SecretText | None,
    ) -> None:
        self._instance = instance
        self._service = service
        self._backend = backend
        self._session = session
        self._service_manager = service_manager
        self._api_key = api_key
        self._first: State | None = None

    def wait(
        self, timeout: float, ready: Callable[[], None], loading: Callable[[str | None], None]
    ) -> GatePassed:
        """`loading` is called again and again while the model loads, with the start's name; `ready`
        once that is done. Raises GateFailed at the first exit or restart, and when the time is
        over.
        """
        self._until_ready(time.monotonic() + timeout, loading)
        ready()
        self._real_request()
        answered = time.monotonic()
        # Halfway: a journal may lag, and reading it costs the soak nothing.
        report = self._report(self._alive_at(answered + SOAK / 2))
        state = self._alive_at(answered + SOAK)
        if report is None or differences(self._instance, report):
            report = self._report(state)
        wrong = differences(self._instance, report) if report else (_NO_REPORT,)
        if report is None or wrong:
            gap = self._service_manager.gap(self._service, state.run)
            raise self._failure(": ".join(["; ".join(wrong), *([gap] if gap else [])]))
        return GatePassed(report, state.run)

    def _report(self, state: State) -> LoadReport | None:
        report = self._backend.read_report(self._service_manager.log(self._service, state.run))
        if report is None:
            return None
        spec = self._instance.spec
        return with_pages(report, self._backend, spec, self._session, self._api_key)

    def _until_ready(self, deadline: float, loading: Callable[[str | None], None]) -> None:
        pause = _POLL_FIRST
        path = self._backend.health_path
        while True:
            reply = get(self._session, self._instance.spec, path, self._api_key)
            state = self._alive()  # it, and not another one on its port
            if reply.status == 200:
                return
            if time.monotonic() + pause > deadline:
                answer = (
                    f"HTTP {reply.status}"
                    if reply.status
                    else reply.body.decode(errors="replace")[:100]
                )
                raise self._failure(f"not ready in time; {path}: {answer}")
            loading(state.run)
            time.sleep(pause)
            pause = min(pause * 1.5, _POLL_MOST)

    def _real_request(self) -> None:
        smoke_request = self._backend.smoke_request(self._instance.spec)
        wrong = real_request(self._instance, smoke_request, self._session, self._api_key)
        if wrong:
            self._alive()
            raise self._failure(f"a real request failed: {wrong}")

    def _alive_at(self, moment: float) -> State:
        """Fails where the engine exits right after its first response."""
        time.sleep(max(0.0, moment - time.monotonic()))
        return self._alive()

    def _alive(self) -> State:
        state = self._service_manager.state(self._service)
        if self._first is None or (self._first.run is None and state.run):
            self._first = state
        if not state.alive:
            raise self._ended(state)
        restarted = state.restarts > self._first.restarts
        if restarted or (self._first.run and state.run and state.run != self._first.run):
            raise self._failure("it exited and was restarted")
        return state

    def _ended(self, state: State) -> GateFailed:
        lines = self._lines(state.run)
        if state.result is None:
            return self._failure(f"it exited: {state.detail}", lines)
        words = exit_words(state.result, state.status, lines)
        if was_killed(state.result, state.status):
            kernel = self._service_manager.kernel_log(self._service)
            words = out_of_memory(kernel) or words
        return self._failure(f"it exited: {words}", lines)

    def _lines(self, run: str | None) -> tuple[str, ...]:
        text = self._service_manager.log(self._service, run, lines=_LOOK_BACK)
        return tuple(line for line in text.splitlines() if line.strip())

    def _failure(self, reason: str, lines: tuple[str, ...] | None = None) -> GateFailed:
        run = self._first.run if self._first else None
        lines = self._lines(run) if lines is None else lines
        last_words = complaint(lines)
        reason = cut(reason, _REASON)
        whole = f"{reason}. The engine said: {last_words}" if last_words else reason
        return GateFailed(whole, telling(lines, _LINES), run)
