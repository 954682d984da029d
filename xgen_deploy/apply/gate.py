"""Up is not enough: an instance is good when it has answered a real request of its kind and the
engine reported the layers, context and devices that were asked for.
"""

import json
import time
from dataclasses import dataclass

from xgen_deploy.apply.service import State, Supervision
from xgen_deploy.backends.base import Backend
from xgen_deploy.resolve.instance import Instance
from xgen_deploy.transport.base import Reply, Session
from xgen_deploy.verify.compare import differences
from xgen_deploy.verify.report import LoadReport

_POLL_FIRST = 0.1
_POLL_MOST = 2.0
_TRIAL = 300.0
_LINES = 15
_SOAK = 2.0


class NotGood(Exception):
    """The instance failed its gate; `log` are the engine's last lines."""

    def __init__(self, reason: str, log: tuple[str, ...]) -> None:
        super().__init__(reason)
        self.reason = reason
        self.log = log


@dataclass(frozen=True)
class Good:
    """What the engine reported, and which start of it that was."""

    report: LoadReport
    run: str | None


class Gate:
    """One instance's gate. `api_key` goes into the request's header only."""

    def __init__(
        self,
        instance: Instance,
        service: str,
        backend: Backend,
        session: Session,
        supervision: Supervision,
        api_key: str | None,
    ) -> None:
        self._instance = instance
        self._service = service
        self._backend = backend
        self._session = session
        self._supervision = supervision
        self._headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._first: State | None = None

    def wait(self, timeout: float) -> Good:
        """Raises NotGood at the first exit or restart, and when the time is over."""
        self._until_ready(time.monotonic() + timeout)
        self._real_request()
        self._soak()
        state = self._alive()
        report = self._backend.read_report(self._supervision.log(self._service, state.run))
        found = differences(self._instance, report)
        if found:
            raise self._not_good("; ".join(found))
        return Good(report, state.run)

    def _until_ready(self, deadline: float) -> None:
        pause = _POLL_FIRST
        while True:
            self._alive()
            reply = self._ask("GET", self._backend.health_path, b"", 5.0)
            if reply.status == 200:
                return
            if time.monotonic() + pause > deadline:
                said = f"HTTP {reply.status}" if reply.status else reply.body.decode()[:100]
                raise self._not_good(f"not ready in time; {self._backend.health_path}: {said}")
            time.sleep(pause)
            pause = min(pause * 1.5, _POLL_MOST)

    def _real_request(self) -> None:
        trial = self._backend.trial(self._instance)
        body = json.dumps(trial.body).encode()
        reply = self._ask("POST", trial.path, body, _TRIAL)
        if reply.status == 200 and _answered(reply.body, trial.answered):
            return
        self._alive()
        said = f"HTTP {reply.status}" if reply.status else "the connection broke"
        text = reply.body.decode(errors="replace").strip()[:200]
        raise self._not_good(f"a real request failed: {trial.path}: {said} {text}".rstrip())

    def _soak(self) -> None:
        """An engine that dies right after its first answer is not good either."""
        end = time.monotonic() + _SOAK
        while time.monotonic() < end:
            time.sleep(_SOAK / 4)
            self._alive()

    def _ask(self, method: str, path: str, body: bytes, timeout: float) -> Reply:
        spec = self._instance.spec
        address = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(spec.listen, spec.listen)  # noqa: S104
        headers = self._headers | ({"Content-Type": "application/json"} if body else {})
        return self._session.request(
            method, address, spec.port, path, body=body, headers=headers, timeout=timeout
        )

    def _alive(self) -> State:
        state = self._supervision.state(self._service)
        if self._first is None or (self._first.run is None and state.run):
            self._first = state
        if not state.alive:
            raise self._not_good(f"it ended: {state.detail}")
        restarted = state.restarts > self._first.restarts
        if restarted or (self._first.run and state.run and state.run != self._first.run):
            raise self._not_good("it ended and was started again")
        return state

    def _not_good(self, reason: str) -> NotGood:
        run = self._first.run if self._first else None
        text = self._supervision.log(self._service, run, lines=_LINES)
        return NotGood(reason, tuple(line for line in text.splitlines() if line.strip()))


def _answered(body: bytes, key: str) -> bool:
    try:
        return bool(json.loads(body)[key])
    except (ValueError, KeyError, TypeError):
        return False
