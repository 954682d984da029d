"""Carries out one host's part of a plan, operation by operation, and records the outcome."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from xgen_deploy.apply.auditing import recorded_digest, tell_ended, tell_whole
from xgen_deploy.apply.cordoning import begin_cordon, end_cordon
from xgen_deploy.apply.execution import Execution
from xgen_deploy.apply.history import write_entry
from xgen_deploy.apply.host_context import HostContext
from xgen_deploy.apply.operation import execute
from xgen_deploy.apply.outcomes import HostResult, OperationOutcomes, Result, sentence_of
from xgen_deploy.apply.parallel import side_by_side
from xgen_deploy.apply.watchdog import watch
from xgen_deploy.errors import XgenError
from xgen_deploy.frozen import replace
from xgen_deploy.limits import CHANGES, MANIFEST
from xgen_deploy.log_lines import cut
from xgen_deploy.plan.concurrency import most_at_once
from xgen_deploy.state.bundle import BundleOrigin
from xgen_deploy.state.gateway import GATEWAY
from xgen_deploy.state.kept_manifest import KeptManifest
from xgen_deploy.state.origin import Origin
from xgen_deploy.state.plan import LATE_CHANGES, HostPlan, Operation, value_text
from xgen_deploy.state.record import ApplyRecord, Record

_LONGEST = 200  # characters of a value


@dataclass(frozen=True)
class ApplyIdentity:
    """Which apply this is and whose, as it goes into every host's record. `origin` and `bundle`
    None: as it was recorded before. `manifest_values` are what the host keeps (see
    manifest/as_applied.py), None for what changes no version.
    """

    number: int
    by: str
    manifest: str
    manifest_digest: str
    hosts: tuple[str, ...] = field(default=())
    what: str = "apply"
    git: str | None = None
    origin: Origin | None = None
    bundle: BundleOrigin | None = None
    manifest_values: Mapping[str, object] | None = None


def carry_out(
    execution: Execution, plan: HostPlan, identity: ApplyIdentity, outcomes: OperationOutcomes
) -> HostResult:
    """Everything but what the gateways and monitoring change, which comes after every host's own
    part. Never raises for a failed operation; the host's record says how it ended.
    """
    context, count = execution.context, len(plan.operations)

    def after_its_needs(operation: Operation) -> Result:
        result = _after_its_needs(execution, operation, outcomes)
        results.append(result)
        return result

    apply = _apply_record(identity, plan)
    results: list[Result] = []
    own = [o for o in plan.operations if o.kind not in LATE_CHANGES]
    try:
        context.service_manager.prepare()
        _note_interrupted(context)
        context.keep(lambda record: _begun(record, context.name, apply, identity))
        begin_cordon(context, plan)
        tell_whole(context, "began", count)
        side_by_side(own, most_at_once(own), outcomes, after_its_needs)
        results = end_cordon(execution, plan, results)
        failures = {r.operation.name: sentence_of(r) for r in results if not r.ok}
        outcome = "failed" if failures else "ok"
        ended = replace(apply, ended=time.time(), outcome=outcome, failures=failures)
        _record_end(context, ended)
        if outcome == "ok" and identity.manifest_values is not None:
            _keep_manifest(context, apply.number, identity.manifest_values)
        watch(context)
        tell_whole(context, outcome, count)
    except XgenError as error:
        tell_whole(context, "failed", count, str(error))
        return HostResult(context.name, tuple(results), error)
    finally:
        outcomes.give_up(plan.operations)
    return HostResult(context.name, tuple(results))


def _begun(record: Record, host: str, apply: ApplyRecord, identity: ApplyIdentity) -> Record:
    origin = identity.origin or record.origin
    bundle = identity.bundle or record.bundle
    return replace(
        record,
        host=host,
        last_apply=apply,
        hosts=identity.hosts,
        origin=origin,
        bundle=bundle,
    )


def _apply_record(identity: ApplyIdentity, plan: HostPlan) -> ApplyRecord:
    return ApplyRecord(
        number=identity.number,
        by=identity.by,
        manifest=identity.manifest,
        manifest_digest=identity.manifest_digest,
        began=time.time(),
        what=identity.what,
        git=identity.git,
        changes=tuple(_changes(plan)),
        values=tuple(_values(plan))[:CHANGES],
    )


def _changes(plan: HostPlan) -> Iterator[str]:
    if plan.cordon is not None:
        yield plan.cordon.clause
    if plan.uncordon is not None:
        yield f"{plan.uncordon.place} is back in service"
    yield from (f"{o.action} {o.name}: {o.cause}" for o in plan.operations)


def _values(plan: HostPlan) -> Iterator[str]:
    """`q: n_ctx 2048 -> 4096`, for each field that is to change."""
    for operation in plan.operations:
        for diff in operation.diff:
            before, after = (cut(value_text(v), _LONGEST) for v in (diff.before, diff.after))
            yield f"{operation.name}: {diff.path} {before} -> {after}"


def _note_interrupted(context: HostContext) -> None:
    """An apply that was killed could not write its own line of the history."""
    last = context.record.last_apply
    if last is not None and last.outcome is None:
        write_entry(context, replace(last, outcome="interrupted"))


def _record_end(context: HostContext, ended: ApplyRecord) -> None:
    context.keep(lambda record: replace(record, last_apply=ended))
    write_entry(context, ended)


def _keep_manifest(context: HostContext, number: int, values: Mapping[str, object]) -> None:
    """One that is too long to be read again is not kept; neither is the outdated one."""
    kept = KeptManifest(apply=number, host=context.name, manifest=values)
    content = kept.model_dump_json().encode()
    if len(content) > MANIFEST:
        context.session.remove(context.layout.manifest, within=context.layout.state_dir)
    else:
        context.session.write_file(context.layout.manifest, content, mode=0o600)


def record_failed_gateway(context: HostContext, reason: str) -> None:
    """The host's own part may have been recorded as good before its gateway failed."""
    record_late_failure(context, GATEWAY, reason)


def record_late_failure(context: HostContext, name: str, reason: str) -> None:
    """The same of the gateway, or of what watches the host."""
    last = context.record.last_apply
    if last is not None:
        failures = {**last.failures, name: reason}
        _record_end(context, replace(last, outcome="failed", failures=failures))


def _after_its_needs(
    execution: Execution, operation: Operation, outcomes: OperationOutcomes
) -> Result:
    before = recorded_digest(execution.context, operation.name)
    failed = outcomes.failed_of(operation.needs)
    if failed:
        reason = f"not started, because {', '.join(sorted(failed))} failed"
        execution.tell("failed", operation.name, reason)
        result = Result(operation, ok=False, reason=reason)
    else:
        result = execute(execution, operation)
    outcomes.ended(operation, ok=result.ok)
    tell_ended(execution.context, before, result)
    return result
