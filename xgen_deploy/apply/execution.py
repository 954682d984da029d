"""What the operations on one host share while they are carried out."""

from dataclasses import dataclass, field

from xgen_deploy.apply.events import Event, EventKind, Listener
from xgen_deploy.apply.host_context import HostContext
from xgen_deploy.apply.traffic import Traffic
from xgen_deploy.apply.watching import Watching
from xgen_deploy.verify.gateway_requests import RequestOutcome


class OperationFailed(Exception):
    """An operation that did not succeed; `log` are the engine's last lines."""

    def __init__(self, reason: str, log: tuple[str, ...] = ()) -> None:
        super().__init__(reason)
        self.reason = reason
        self.log = log


@dataclass(frozen=True)
class Execution:
    """`watching` is what monitoring shares over all hosts, `number` is the apply's, `by` who runs
    it; `asked`: how models answered through the gateway here once it was changed;
    `accept_new_vectors` as in ApplyOptions.
    """

    context: HostContext
    traffic: Traffic
    watching: Watching
    number: int
    by: str
    listener: Listener
    asked: list[RequestOutcome] = field(default_factory=list)
    accept_new_vectors: bool = False

    def tell(
        self,
        kind: EventKind,
        instance: str,
        text: str,
        *,
        seconds: float | None = None,
        waited: float | None = None,
        log: tuple[str, ...] = (),
    ) -> None:
        """One event of an instance on this host."""
        host = self.context.name
        self.listener(
            Event(
                kind=kind,
                host=host,
                instance=instance,
                text=text,
                seconds=seconds,
                waited=waited,
                log=log,
            )
        )
