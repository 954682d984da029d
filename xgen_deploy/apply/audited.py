"""The audit events of the operations that an apply carries out."""

from xgen_deploy.apply.host_context import HostContext
from xgen_deploy.apply.outcomes import Result
from xgen_deploy.state.gateway import GATEWAY


def digest_there(context: HostContext, name: str) -> str | None:
    """The digest of what runs under a name on the host, by its record."""
    if name == GATEWAY:
        return context.record.gateway.digest if context.record.gateway else None
    last = context.record.instances.get(name)
    return last.digest if last else None


def tell_ended(context: HostContext, before: str | None, result: Result) -> None:
    """`before` is `digest_there` from before it began."""
    if context.audit is None:
        return
    operation = result.operation
    context.audit.tell(
        "ok" if result.ok else "failed",
        instance=operation.name,
        action=operation.action,
        cause=operation.cause,
        before=before,
        after=digest_there(context, operation.name),
        reason=result.reason,
    )


def tell_whole(context: HostContext, outcome: str, operations: int, reason: str = "") -> None:
    """The event for the begin or the end of all changes on a host."""
    if context.audit is not None:
        count = f"{operations} operation{'s'[: operations != 1]}"
        context.audit.tell(outcome, cause=count, reason=reason)
