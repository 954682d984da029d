"""The outcomes of operations, also so that operations can wait for those on other hosts."""

import threading
from collections.abc import Iterable
from dataclasses import dataclass

from xgen_deploy.backends.log_errors import complaint
from xgen_deploy.errors import XgenError
from xgen_deploy.log_lines import cut
from xgen_deploy.state.plan import Operation
from xgen_deploy.verify.gateway_requests import RequestOutcome

_LONGEST = 2000  # characters


@dataclass(frozen=True)
class Result:
    """How one operation ended; `reason` and `log` where it failed."""

    operation: Operation
    ok: bool
    reason: str = ""
    log: tuple[str, ...] = ()


def sentence_of(failed: Result) -> str:
    """Why it failed, with what the engine gave as its reason where that is not in it already."""
    own = complaint(failed.log)
    told = failed.reason if own is None or own in failed.reason else f"{failed.reason} ({own})"
    return cut(told, _LONGEST)


@dataclass(frozen=True)
class HostResult:
    """`error` is set where the host was lost on the way; what `results` lacks is untouched.
    `asked`: how models answered through the gateway there.
    """

    host: str
    results: tuple[Result, ...] = ()
    error: XgenError | None = None
    asked: tuple[RequestOutcome, ...] = ()

    @property
    def ok(self) -> bool:
        failed = any(not r.ok for r in self.results) or any(o.bad for o in self.asked)
        return self.error is None and not failed


class OperationOutcomes:
    """Over all operations that are being carried out; what is not among them never succeeds.
    `changed` is told whenever one has ended.
    """

    def __init__(self, operations: Iterable[Operation]) -> None:
        self._pending = {o.id for o in operations}
        self._succeeded: set[str] = set()
        self.changed = threading.Condition()

    def ended(self, operation: Operation, *, ok: bool) -> None:
        with self.changed:
            self._pending.discard(operation.id)
            if ok:
                self._succeeded.add(operation.id)
            self.changed.notify_all()

    def give_up(self, operations: Iterable[Operation]) -> None:
        """Their host was lost: operations that wait for them are not carried out."""
        with self.changed:
            self._pending -= {o.id for o in operations}
            self.changed.notify_all()

    def have_ended(self, ids: Iterable[str]) -> bool:
        """To be asked under `changed`."""
        return self._pending.isdisjoint(ids)

    def failed_of(self, needs: Iterable[str]) -> tuple[str, ...]:
        """Those of operations that have ended which did not succeed."""
        with self.changed:
            return tuple(n for n in needs if n not in self._succeeded)
