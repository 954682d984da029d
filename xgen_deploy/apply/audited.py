"""What an apply tells its audit trail of the operations that it carries out."""

from xgen_deploy.apply.host_context import HostAtWork
from xgen_deploy.state.gateway import GATEWAY
from xgen_deploy.state.plan import Operation


def digest_there(work: HostAtWork, name: str) -> str | None:
    """Of what runs there under a name right now, as the record has it."""
    if name == GATEWAY:
        return work.record.gateway.digest if work.record.gateway else None
    last = work.record.instances.get(name)
    return last.digest if last else None


def tell_ended(
    work: HostAtWork, operation: Operation, before: str | None, *, ok: bool, reason: str = ""
) -> None:
    """`before` is `digest_there` from before it began."""
    if work.audit is None:
        return
    work.audit.tell(
        "ok" if ok else "failed",
        instance=operation.name,
        action=operation.action,
        cause=operation.cause,
        before=before,
        after=digest_there(work, operation.name),
        reason=reason,
    )


def tell_whole(work: HostAtWork, outcome: str, operations: int, reason: str = "") -> None:
    """The beginning or the end of all that is done on a host."""
    if work.audit is not None:
        count = f"{operations} operation{'s'[: operations != 1]}"
        work.audit.tell(outcome, cause=count, reason=reason)
