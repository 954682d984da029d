"""The steps of bringing an instance up, whichever slot it goes to: prepared, started, proved,
recorded.
"""

import time
from contextlib import suppress
from dataclasses import dataclass

from xgen_deploy.apply.accepting import keep_vectors, keep_vectors_of_running, not_accepted
from xgen_deploy.apply.artifacts import check_locked_files, check_sha256
from xgen_deploy.apply.execution import Execution, OperationFailed
from xgen_deploy.apply.gate import Gate, GateFailed, GatePassed
from xgen_deploy.apply.loading import LOADING, Loading
from xgen_deploy.apply.service_manager import EndedAtOnce
from xgen_deploy.apply.staging import commit, stage
from xgen_deploy.apply.teardown import clear_stale_slot
from xgen_deploy.backends.registry import backend_named, health_path_of
from xgen_deploy.errors import XgenError
from xgen_deploy.faults import fault_of
from xgen_deploy.frozen import replace
from xgen_deploy.plan.file_drift import digest
from xgen_deploy.render.rendered import Rendered
from xgen_deploy.render.unit_version import UNIT_VERSION
from xgen_deploy.secret_text import SecretText
from xgen_deploy.state.forecast_record import recorded
from xgen_deploy.state.instance import Instance
from xgen_deploy.state.plan import Operation
from xgen_deploy.state.record import InstanceRecord
from xgen_deploy.transport.base import HostError
from xgen_deploy.verify.long_input import long_input

_READY = 600.0
_FAILED_LINES = 2000


@dataclass(frozen=True)
class Prepared:
    """An instance with all that starting it needs. `key` is its API key."""

    instance: Instance
    rendered: Rendered
    key: SecretText | None


def prepare(execution: Execution, operation: Operation) -> Prepared:
    """Everything that can be checked while the old one serves; the record says what was begun."""
    context, instance = execution.context, operation.instance
    if instance is None:
        raise XgenError(f"{operation.id}: the operation has no instance to start")
    secrets = context.secrets_of(instance.name).values(instance)
    rendered = context.rendering.render(instance, secrets)
    check_sha256(context, instance)
    check_locked_files(
        context, instance, lambda text: execution.tell("progress", instance.name, text)
    )
    context.keep(lambda record: record.begun(instance.name, instance.digest))
    clear_stale_slot(context, operation)
    keep_vectors_of_running(execution, instance)
    key = instance.spec.api_key
    return Prepared(instance, rendered, SecretText(secrets.value(key)) if key else None)


def write_and_start(execution: Execution, new: Prepared) -> None:
    """Its files, then itself."""
    stage(execution.context, new.rendered, new.instance.name_on_host)
    start_staged(execution, new)


def start_staged(execution: Execution, new: Prepared) -> None:
    """What was staged is put in place and (re)started."""
    commit(execution.context, new.instance.name_on_host)
    start_service(execution, new.instance.name, new.rendered.service)


def start_service(execution: Execution, instance: str, service: str) -> None:
    """An immediate exit is left to the gate, which reports it with the log."""
    execution.tell("start", instance, "starting")
    with suppress(EndedAtOnce):
        execution.context.service_manager.start(service)


def prove(execution: Execution, new: Prepared) -> GatePassed:
    """The gate. Raises GateFailed; the log of what failed is kept then."""
    try:
        passed = pass_gate(execution, new.instance, new.rendered.service, new.key)
        _take_long_input(execution, new, passed)
        return passed
    except (GateFailed, HostError) as error:
        _keep_failed_log(execution, new, error.run if isinstance(error, GateFailed) else None)
        raise


def pass_gate(
    execution: Execution, instance: Instance, service: str, key: SecretText | None
) -> GatePassed:
    """Raises GateFailed."""
    context, name = execution.context, instance.name
    backend = backend_named(instance.spec.backend)
    if backend is None:
        raise XgenError(f"this version of xgen-deploy knows no backend {instance.spec.backend}")
    execution.tell("progress", name, LOADING)
    session, service_manager = context.session, context.service_manager
    gate = Gate(instance, service, backend, session, service_manager, key)
    last = context.record.instances.get(name)
    loading = Loading(
        instance,
        service,
        backend,
        session,
        service_manager,
        last.ready_seconds if last else None,
        lambda text, waited: execution.tell("progress", name, text, waited=waited),
    )
    passed = gate.wait(
        ready_timeout(instance),
        lambda: execution.tell("gate", name, "a real request"),
        loading.look,
    )
    wrong, vectors = not_accepted(execution, instance, key)
    if wrong:
        raise GateFailed(wrong, (), passed.run)
    return replace(passed, vectors=vectors)


def _take_long_input(execution: Execution, new: Prepared, passed: GatePassed) -> None:
    """Raises GateFailed. A restart of what was applied before is not asked so much."""
    backend = backend_named(new.instance.spec.backend)
    if backend is None or new.instance.spec.type == "llm":
        return
    execution.tell("gate", new.instance.name, "a long input")
    wrong = long_input(new.instance, backend, execution.context.session, new.key)
    if wrong:
        raise GateFailed(wrong, (), passed.run)


def ready_timeout(instance: Instance) -> float:
    """Seconds from its start to its first answer."""
    return instance.declared.update.timeout or _READY


def _keep_failed_log(execution: Execution, new: Prepared, run: str | None) -> None:
    """It outlives the rollback: `logs --previous` shows it."""
    context = execution.context
    text = context.service_manager.log(new.rendered.service, run, lines=_FAILED_LINES)
    try:
        context.session.make_dir(f"{context.layout.state_dir}/failed", mode=0o700)
        context.session.write_file(
            context.layout.failed_log(new.instance.name), text.encode(), mode=0o600
        )
    except HostError:  # a full disk must not keep the previous version from coming back
        return


def remember(
    execution: Execution,
    new: Prepared,
    passed: GatePassed,
    seconds: float,
    *,
    other_port: int | None = None,
) -> None:
    """It is what runs now. `other_port` as in InstanceRecord, where that changed."""
    context, instance = execution.context, new.instance
    files = (new.rendered.definition, *new.rendered.files)
    name, last = instance.name, context.record.instances.get(instance.name)
    entry = InstanceRecord(
        spec=instance.spec,
        digest=instance.digest,
        declared=replace(instance.declared, marks={}, accept=None),
        files={f.path: digest(f) for f in files if not f.secret},
        pins=instance.pins,
        health_path=health_path_of(instance.spec.backend),
        applied_at=time.time(),
        apply=execution.number,
        ready_seconds=round(seconds, 1),
        invocation=passed.run,
        report=passed.report,
        forecast=recorded(instance.forecast),
        slot=instance.slot,
        other_port=other_port or (last.other_port if last else None),
        unit_version=UNIT_VERSION,
    )
    keep_vectors(execution, name, passed.vectors)
    context.keep(lambda record: record.with_instance(name, entry).settled(name))


def failed(execution: Execution, error: Exception, ending: str) -> OperationFailed:
    """`ending` is how it stands now, as a sentence."""
    if isinstance(error, GateFailed):
        return OperationFailed(f"{error.reason}. {ending}", error.log)
    known = error if isinstance(error, XgenError) else fault_of(execution.context.name, error)
    return OperationFailed(f"{str(known).removesuffix('.')}. {ending}")
