"""Carries out one operation of a plan on its host; decides nothing."""

import hashlib
import time
from contextlib import suppress
from dataclasses import dataclass

from xgen_deploy.apply.checksum import check_sha256
from xgen_deploy.apply.containers import remove_container
from xgen_deploy.apply.drain import drain, drain_time
from xgen_deploy.apply.events import Event, Listener
from xgen_deploy.apply.gate import Gate, GateFailed, GatePassed
from xgen_deploy.apply.host_context import HostContext
from xgen_deploy.apply.rollback import Previous, forget_previous
from xgen_deploy.apply.service_manager import EndedAtOnce
from xgen_deploy.apply.staging import commit, stage, unstage
from xgen_deploy.apply.traffic import NotMoved, Traffic
from xgen_deploy.backends.registry import backend_named, health_path_of
from xgen_deploy.errors import UnreachableError, XgenError
from xgen_deploy.faults import fault_of
from xgen_deploy.frozen import replace
from xgen_deploy.render.rendered import Rendered
from xgen_deploy.render.unit_version import UNIT_VERSION
from xgen_deploy.secret_text import SecretText
from xgen_deploy.state.instance import Instance
from xgen_deploy.state.layout import SECOND
from xgen_deploy.state.plan import Operation
from xgen_deploy.state.record import InstanceRecord
from xgen_deploy.transport.base import HostError

_ASK = 60.0
TIMEOUT = 600.0
_FAILED_LINES = 2000


class Failed(Exception):
    """An operation that did not succeed; `log` are the engine's last lines."""

    def __init__(self, reason: str, log: tuple[str, ...] = ()) -> None:
        super().__init__(reason)
        self.reason = reason
        self.log = log


def remove(context: HostContext, operation: Operation, traffic: Traffic) -> None:
    """Takes an instance away and forgets it; what is not there is no error. Where its model goes
    on elsewhere, every gateway has that first. Raises NotMoved, and then it serves on.
    """
    name = operation.name
    with traffic.moving(context.name, name):
        last = context.record.instances.get(name)
        if operation.moves and operation.needs and last is not None:
            traffic.hand_over(context.name, name, last.spec.model)
        drain(context, traffic, name, drain_time(last.declared if last else None))
        for slot in ("", SECOND):
            clear_slot(context, name, slot)
        traffic.gone(context.name, name)
    forget_previous(context, name)
    context.keep(lambda record: record.without_instance(name).settled(name))


def tidy(context: HostContext, operation: Operation) -> None:
    """Takes away what is beside the instance: its other slot."""
    if operation.leftover is not None:
        clear_slot(context, operation.name, operation.leftover.removeprefix(operation.name))


def clear_slot(context: HostContext, instance: str, slot: str) -> None:
    """Stops and removes one slot of an instance; what is not there is no error."""
    layout, name_on_host = context.layout, instance + slot
    context.service_manager.stop(layout.service(name_on_host))
    remove_container(context, instance, layout.service(name_on_host))
    if context.session.remove(layout.definition(name_on_host), within=layout.definitions):
        context.service_manager.reload()
    context.session.remove(layout.settings(name_on_host), within=layout.etc_dir)
    unstage(context, name_on_host)


@dataclass(frozen=True)
class Prepared:
    """An instance with all that starting it needs. `key` is its API key."""

    instance: Instance
    rendered: Rendered
    key: SecretText | None


def prepare(context: HostContext, operation: Operation) -> Prepared:
    """Everything that can be checked while the old one serves; the record says what was begun."""
    instance = operation.instance
    if instance is None:
        raise XgenError(f"{operation.id}: nothing to bring up")
    secrets = context.secrets_of(instance.name).values(instance)
    rendered = context.rendering.render(instance, secrets)
    check_sha256(context, instance)
    context.keep(lambda record: record.begun(instance.name, instance.digest))
    tidy(context, operation)
    key = instance.spec.api_key
    return Prepared(instance, rendered, SecretText(secrets.value(key)) if key else None)


def bring_up(
    context: HostContext, operation: Operation, traffic: Traffic, number: int, tell: Listener
) -> GatePassed:
    """Create, repair, or update by stopping first: what worked before is put back when the gate
    is not passed.

    Raises Failed.
    """
    new = prepare(context, operation)
    instance = new.instance
    previous = Previous(context, instance.name, instance.name_on_host)
    began = time.monotonic()
    try:
        previous.keep()
        stage(context, new.rendered, instance.name_on_host)
        with traffic.moving(context.name, instance.name):
            drain(context, traffic, instance.name, drain_time(instance.declared))
            previous.stopping()
            traffic.rekeyed(context.name, instance.name)
            _start(context, new, tell)
        good = prove(context, new, tell)
        remember(context, new, good, number, time.monotonic() - began)
    except UnreachableError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever it was, the previous one comes back
        if previous.stopped:
            ending = _back(context, new, previous, traffic)
            tell(Event(kind="rolled_back", host=context.name, instance=instance.name, text=ending))
        else:
            ending = _left_alone(context, new, previous, traffic)
        raise failed(context, error, ending) from None
    try:
        if previous.kept:
            previous.discard()
    finally:
        traffic.enable(context.name, instance.name)
    return good


def _left_alone(context: HostContext, new: Prepared, previous: Previous, traffic: Traffic) -> str:
    """Nothing was stopped or changed yet."""
    name = new.instance.name
    with suppress(NotMoved):  # it may be that nothing was drained, or nothing can be told
        traffic.enable(context.name, name)
    try:
        unstage(context, new.instance.name_on_host)
        previous.discard()
        context.keep(lambda record: record.settled(name))
    except XgenError as error:
        return f"What runs was left as it is; tidying up failed too: {error}"
    return "The one that runs was left as it is" if previous.kept else "Nothing was begun"


def failed(context: HostContext, error: Exception, ending: str) -> Failed:
    """`ending` is how it stands now, as a sentence."""
    if isinstance(error, GateFailed):
        return Failed(f"{error.reason}. {ending}", error.log)
    known = error if isinstance(error, XgenError) else fault_of(context.name, error)
    return Failed(f"{str(known).removesuffix('.')}. {ending}")


def launch(context: HostContext, new: Prepared, tell: Listener) -> None:
    """Writes its files and (re)starts it."""
    stage(context, new.rendered, new.instance.name_on_host)
    _start(context, new, tell)


def _start(context: HostContext, new: Prepared, tell: Listener) -> None:
    commit(context, new.instance.name_on_host)
    tell(Event(kind="start", host=context.name, instance=new.instance.name, text="starting"))
    with suppress(EndedAtOnce):  # the gate tells how, with its log
        context.service_manager.start(new.rendered.service)


def prove(context: HostContext, new: Prepared, tell: Listener) -> GatePassed:
    """The gate. Raises NotGood; the log of what failed is kept then."""
    try:
        return _gate(context, new, tell)
    except (GateFailed, HostError) as error:
        _keep_failed_log(context, new, error.run if isinstance(error, GateFailed) else None)
        raise


def _gate(context: HostContext, new: Prepared, tell: Listener) -> GatePassed:
    instance = new.instance
    backend = backend_named(instance.spec.backend)
    if backend is None:
        raise XgenError(f"{instance.spec.backend} cannot be asked for a real request")
    tell(
        Event(kind="progress", host=context.name, instance=instance.name, text="loading the model")
    )
    service = new.rendered.service
    gate = Gate(instance, service, backend, context.session, context.service_manager, new.key)
    proving = Event(kind="gate", host=context.name, instance=instance.name, text="a real request")
    return gate.wait(instance.declared.update.timeout or TIMEOUT, lambda: tell(proving))


def _back(context: HostContext, new: Prepared, previous: Previous, traffic: Traffic) -> str:
    """The previous version, or nothing at all where there was none; a clause about it."""
    instance, ending = new.instance, ""
    try:
        if previous.kept:
            timeout = instance.declared.update.timeout or TIMEOUT
            ending = previous.put_back(timeout)
        else:
            clear_slot(context, instance.name, instance.slot)
            ending = "It was stopped and taken away; nothing was there before"
        traffic.rekeyed(context.name, instance.name, back=True)
        traffic.enable(context.name, instance.name)  # before what a full disk may refuse
        context.keep(lambda record: record.settled(instance.name))
    except XgenError as error:
        return (
            f"{ending}, but then: {error}" if ending else f"Putting things back failed too: {error}"
        )
    return ending


def _keep_failed_log(context: HostContext, new: Prepared, run: str | None) -> None:
    """It outlives the rollback: `logs --previous` shows it."""
    text = context.service_manager.log(new.rendered.service, run, lines=_FAILED_LINES)
    try:
        context.session.make_dir(f"{context.layout.state_dir}/failed", mode=0o700)
        context.session.write_file(
            context.layout.failed_log(new.instance.name), text.encode(), mode=0o600
        )
    except HostError:  # a full disk must not keep the previous version from coming back
        return


def remember(
    context: HostContext,
    new: Prepared,
    good: GatePassed,
    number: int,
    seconds: float,
    *,
    other_port: int | None = None,
) -> None:
    """It is what runs now. `other_port` as in InstanceRecord, where that changed."""
    instance, definition = new.instance, new.rendered.definition
    name, last = instance.name, context.record.instances.get(instance.name)
    entry = InstanceRecord(
        spec=instance.spec,
        digest=instance.digest,
        declared=replace(instance.declared, marks={}),
        files={definition.path: hashlib.sha256(definition.content.encode()).hexdigest()},
        pins=instance.pins,
        health_path=health_path_of(instance.spec.backend),
        applied_at=time.time(),
        apply=number,
        ready_seconds=round(seconds, 1),
        invocation=good.run,
        report=good.report,
        slot=instance.slot,
        other_port=other_port or (last.other_port if last else None),
        unit_version=UNIT_VERSION,
    )
    context.keep(lambda record: record.with_instance(name, entry).settled(name))
