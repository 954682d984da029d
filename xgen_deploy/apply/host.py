"""Carries out one host's part of a plan, operation by operation, and records how it ended."""

import time
from dataclasses import dataclass, field

from xgen_deploy.apply.audited import digest_there, tell_ended, tell_whole
from xgen_deploy.apply.events import Event, Listener
from xgen_deploy.apply.gateway import close_gateway
from xgen_deploy.apply.history import write_entry
from xgen_deploy.apply.host_context import HostContext
from xgen_deploy.apply.maintenance import maintain
from xgen_deploy.apply.outcomes import OperationOutcomes
from xgen_deploy.apply.start_first import start_first_update
from xgen_deploy.apply.stop_first import Failed, bring_up, remove, tidy
from xgen_deploy.apply.traffic import Traffic
from xgen_deploy.apply.watchdog import watch
from xgen_deploy.errors import UnreachableError, XgenError
from xgen_deploy.frozen import replace
from xgen_deploy.plan.maintenance import MAINTENANCE
from xgen_deploy.state.gateway import GATEWAY
from xgen_deploy.state.plan import HostPlan, Operation
from xgen_deploy.state.record import ApplyRecord


@dataclass(frozen=True)
class Result:
    """How one operation ended; `reason` and `log` where it failed."""

    operation: Operation
    ok: bool
    reason: str = ""
    log: tuple[str, ...] = ()


@dataclass(frozen=True)
class HostResult:
    """`error` is set where the host was lost on the way; what `results` lacks is untouched."""

    host: str
    results: tuple[Result, ...] = ()
    error: XgenError | None = None

    @property
    def ok(self) -> bool:
        return self.error is None and all(r.ok for r in self.results)


@dataclass(frozen=True)
class Who:
    """One apply, as it goes into every host's record."""

    number: int
    by: str
    manifest: str
    manifest_digest: str
    hosts: tuple[str, ...] = field(default=())
    what: str = "apply"
    git: str | None = None


def carry_out(
    context: HostContext,
    plan: HostPlan,
    who: Who,
    outcomes: OperationOutcomes,
    traffic: Traffic,
    tell: Listener,
) -> HostResult:
    """Never raises for a failed operation; the host's record says how it ended."""
    began = time.time()
    apply = ApplyRecord(
        number=who.number,
        by=who.by,
        manifest=who.manifest,
        manifest_digest=who.manifest_digest,
        began=began,
        what=who.what,
        git=who.git,
        changes=tuple(f"{o.action} {o.name}: {o.cause}" for o in plan.operations),
    )
    results: list[Result] = []
    try:
        context.service_manager.prepare()
        _note_interrupted(context)
        context.keep(lambda record: replace(record, last_apply=apply, hosts=who.hosts))
        tell_whole(context, "began", len(plan.operations))
        for operation in plan.operations:
            if operation.gateway is not None:
                continue  # after every host's own part: see gateway_rollout.py
            before = digest_there(context, operation.name)
            result = _one(context, operation, outcomes, traffic, who, tell)
            outcomes.ended(operation, ok=result.ok)
            tell_ended(context, operation, before, ok=result.ok, reason=result.reason)
            results.append(result)
        outcome = "ok" if all(r.ok for r in results) else "failed"
        ended = replace(apply, ended=time.time(), outcome=outcome)
        context.keep(lambda record: replace(record, last_apply=ended))
        write_entry(context, ended)
        watch(context)
        tell_whole(context, outcome, len(plan.operations))
    except XgenError as error:
        tell_whole(context, "failed", len(plan.operations), str(error))
        return HostResult(context.name, tuple(results), error)
    finally:
        outcomes.give_up(plan.operations)
    return HostResult(context.name, tuple(results))


def _note_interrupted(context: HostContext) -> None:
    """An apply that was killed could not write its own line of the history."""
    last = context.record.last_apply
    if last is not None and last.outcome is None:
        write_entry(context, replace(last, outcome="interrupted"))


def _one(
    context: HostContext,
    operation: Operation,
    outcomes: OperationOutcomes,
    traffic: Traffic,
    who: Who,
    tell: Listener,
) -> Result:
    failed = outcomes.failed_of(operation.needs)
    if failed:
        reason = f"left alone, because {', '.join(sorted(failed))} failed"
        tell(Event(kind="failed", host=context.name, instance=operation.name, text=reason))
        return Result(operation, ok=False, reason=reason)
    began = time.monotonic()
    tell(Event(kind="plan", host=context.name, instance=operation.name, text=operation.action))
    try:
        if operation.name == GATEWAY:
            close_gateway(context)
            text = "removed"
        elif operation.action == "remove":
            remove(context, operation, traffic)
            text = "removed"
        elif operation.action in MAINTENANCE:
            text = maintain(context, operation, traffic, who.by, tell)
        elif operation.tidies:
            tidy(context, operation)
            text = "tidied up"
        else:
            up = start_first_update if operation.strategy == "start-first" else bring_up
            text = _good(
                up(context, operation, traffic, who.number, tell).report.offloaded, operation
            )
    except UnreachableError:
        raise
    except (Failed, XgenError) as error:
        log = error.log if isinstance(error, Failed) else ()
        tell(
            Event(
                kind="failed",
                host=context.name,
                instance=operation.name,
                text=str(error),
                seconds=time.monotonic() - began,
                log=log,
            )
        )
        return Result(operation, ok=False, reason=str(error), log=log)
    tell(
        Event(
            kind="done",
            host=context.name,
            instance=operation.name,
            text=text,
            seconds=time.monotonic() - began,
        )
    )
    return Result(operation, ok=True)


def _good(offloaded: int | None, operation: Operation) -> str:
    instance = operation.instance
    if instance is None:
        return "done"
    where = "on the CPU"
    if instance.spec.gpus:
        where = f"{offloaded}/{instance.total_layers or '?'} layers on the GPU"
        if offloaded is None:
            where = f"on {len(instance.spec.gpus)} GPU{'s'[: len(instance.spec.gpus) != 1]}"
    return f"answers on port {instance.spec.port}, {where}"
