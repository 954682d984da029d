"""Carries out one operation of a plan on its host; decides nothing."""

import hashlib
import time
from contextlib import suppress
from dataclasses import dataclass

from xgen_deploy.apply.checksum import check_sha256
from xgen_deploy.apply.containers import remove_container
from xgen_deploy.apply.drain import drain, drain_time
from xgen_deploy.apply.events import Event, Listener
from xgen_deploy.apply.gate import Gate, Good, NotGood
from xgen_deploy.apply.host_context import HostAtWork
from xgen_deploy.apply.rollback import Previous, forget_previous
from xgen_deploy.apply.service_manager import EndedAtOnce
from xgen_deploy.apply.staging import commit, stage, unstage
from xgen_deploy.apply.traffic import NotMoved, Switch
from xgen_deploy.backends.registry import backend_named, health_path_of
from xgen_deploy.errors import UnreachableError, XgenError
from xgen_deploy.faults import fault_of
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


def remove(work: HostAtWork, operation: Operation, switch: Switch) -> None:
    """Takes an instance away and forgets it; what is not there is no error. Where its model goes
    on elsewhere, every gateway has that first. Raises NotMoved, and then it serves on.
    """
    name = operation.name
    with switch.moving(work.name, name):
        last = work.record.instances.get(name)
        if operation.moves and operation.needs and last is not None:
            switch.hand_over(work.name, name, last.spec.model)
        drain(work, switch, name, drain_time(last.declared if last else None))
        for slot in ("", SECOND):
            clear_slot(work, name, slot)
        switch.gone(work.name, name)
    forget_previous(work, name)
    kept = {k: v for k, v in work.record.instances.items() if k != name}
    work.settle(name, instances=kept)


def tidy(work: HostAtWork, operation: Operation) -> None:
    """Takes away what is beside the instance: its other slot."""
    if operation.leftover is not None:
        clear_slot(work, operation.name, operation.leftover.removeprefix(operation.name))


def clear_slot(work: HostAtWork, instance: str, slot: str) -> None:
    """Stops and removes one slot of an instance; what is not there is no error."""
    layout, slotted = work.layout, instance + slot
    work.supervision.stop(layout.service(slotted))
    remove_container(work, instance, layout.service(slotted))
    if work.session.remove(layout.definition(slotted), within=layout.definitions):
        work.supervision.reload()
    work.session.remove(layout.settings(slotted), within=layout.etc_dir)
    unstage(work, slotted)


@dataclass(frozen=True)
class Prepared:
    """An instance with all that starting it needs. `key` is its API key."""

    instance: Instance
    rendered: Rendered
    key: SecretText | None


def prepare(work: HostAtWork, operation: Operation) -> Prepared:
    """Everything that can be checked while the old one serves; the record says what was begun."""
    instance = operation.instance
    if instance is None:
        raise XgenError(f"{operation.id}: nothing to bring up")
    secrets = work.secrets_of(instance.name).values(instance)
    rendered = work.rendering.render(instance, secrets)
    check_sha256(work, instance)
    work.keep(pending={**work.record.pending, instance.name: instance.digest})
    tidy(work, operation)
    key = instance.spec.api_key
    return Prepared(instance, rendered, SecretText(secrets.value(key)) if key else None)


def bring_up(
    work: HostAtWork, operation: Operation, switch: Switch, number: int, tell: Listener
) -> Good:
    """Create, repair, or update by stopping first: what worked before is put back when the gate
    is not passed.

    Raises Failed.
    """
    new = prepare(work, operation)
    instance = new.instance
    previous = Previous(work, instance.name, instance.slotted)
    began = time.monotonic()
    try:
        previous.keep()
        stage(work, new.rendered, instance.slotted)
        with switch.moving(work.name, instance.name):
            drain(work, switch, instance.name, drain_time(instance.declared))
            previous.stopping()
            switch.rekeyed(work.name, instance.name)
            _start(work, new, tell)
        good = prove(work, new, tell)
        remember(work, new, good, number, time.monotonic() - began)
    except UnreachableError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever it was, the previous one comes back
        if previous.stopped:
            ending = _back(work, new, previous, switch)
            tell(Event(kind="rolled_back", host=work.name, instance=instance.name, text=ending))
        else:
            ending = _left_alone(work, new, previous, switch)
        raise failed(work, error, ending) from None
    try:
        if previous.kept:
            previous.discard()
    finally:
        switch.enable(work.name, instance.name)
    return good


def _left_alone(work: HostAtWork, new: Prepared, previous: Previous, switch: Switch) -> str:
    """Nothing was stopped or changed yet."""
    name = new.instance.name
    with suppress(NotMoved):  # it may be that nothing was drained, or nothing can be told
        switch.enable(work.name, name)
    try:
        unstage(work, new.instance.slotted)
        previous.discard()
        work.settle(name)
    except XgenError as error:
        return f"What runs was left as it is; tidying up failed too: {error}"
    return "The one that runs was left as it is" if previous.kept else "Nothing was begun"


def failed(work: HostAtWork, error: Exception, ending: str) -> Failed:
    """`ending` is how it stands now, as a sentence."""
    if isinstance(error, NotGood):
        return Failed(f"{error.reason}. {ending}", error.log)
    known = error if isinstance(error, XgenError) else fault_of(work.name, error)
    return Failed(f"{str(known).removesuffix('.')}. {ending}")


def launch(work: HostAtWork, new: Prepared, tell: Listener) -> None:
    """Writes its files and (re)starts it."""
    stage(work, new.rendered, new.instance.slotted)
    _start(work, new, tell)


def _start(work: HostAtWork, new: Prepared, tell: Listener) -> None:
    commit(work, new.instance.slotted)
    tell(Event(kind="start", host=work.name, instance=new.instance.name, text="starting"))
    with suppress(EndedAtOnce):  # the gate tells how, with its log
        work.supervision.start(new.rendered.service)


def prove(work: HostAtWork, new: Prepared, tell: Listener) -> Good:
    """The gate. Raises NotGood; the log of what failed is kept then."""
    try:
        return _gate(work, new, tell)
    except (NotGood, HostError) as error:
        _keep_failed_log(work, new, error.run if isinstance(error, NotGood) else None)
        raise


def _gate(work: HostAtWork, new: Prepared, tell: Listener) -> Good:
    instance = new.instance
    backend = backend_named(instance.spec.backend)
    if backend is None:
        raise XgenError(f"{instance.spec.backend} cannot be asked for a real request")
    tell(Event(kind="progress", host=work.name, instance=instance.name, text="loading the model"))
    service = new.rendered.service
    gate = Gate(instance, service, backend, work.session, work.supervision, new.key)
    proving = Event(kind="gate", host=work.name, instance=instance.name, text="a real request")
    return gate.wait(instance.declared.update.timeout or TIMEOUT, lambda: tell(proving))


def _back(work: HostAtWork, new: Prepared, previous: Previous, switch: Switch) -> str:
    """The previous version, or nothing at all where there was none; a clause about it."""
    instance, ending = new.instance, ""
    try:
        if previous.kept:
            timeout = instance.declared.update.timeout or TIMEOUT
            ending = previous.put_back(timeout)
        else:
            clear_slot(work, instance.name, instance.slot)
            ending = "It was stopped and taken away; nothing was there before"
        switch.rekeyed(work.name, instance.name, back=True)
        switch.enable(work.name, instance.name)  # before what a full disk may refuse
        work.settle(instance.name)
    except XgenError as error:
        return (
            f"{ending}, but then: {error}" if ending else f"Putting things back failed too: {error}"
        )
    return ending


def _keep_failed_log(work: HostAtWork, new: Prepared, run: str | None) -> None:
    """It outlives the rollback: `logs --previous` shows it."""
    text = work.supervision.log(new.rendered.service, run, lines=_FAILED_LINES)
    try:
        work.session.make_dir(f"{work.layout.state_dir}/failed", mode=0o700)
        work.session.write_file(
            work.layout.failed_log(new.instance.name), text.encode(), mode=0o600
        )
    except HostError:  # a full disk must not keep the previous version from coming back
        return


def remember(
    work: HostAtWork, new: Prepared, good: Good, number: int, seconds: float, **more: object
) -> None:
    """It is what runs now; `more` are fields of its record."""
    instance, definition = new.instance, new.rendered.definition
    last = work.record.instances.get(instance.name)
    entry = InstanceRecord(
        spec=instance.spec,
        digest=instance.digest,
        declared=instance.declared.model_copy(update={"marks": {}}),
        files={definition.path: hashlib.sha256(definition.content.encode()).hexdigest()},
        pins=instance.pins,
        health_path=health_path_of(instance.spec.backend),
        applied_at=time.time(),
        apply=number,
        ready_seconds=round(seconds, 1),
        invocation=good.run,
        report=good.report,
        slot=instance.slot,
        other_port=last.other_port if last else None,
        unit_version=UNIT_VERSION,
    ).model_copy(update=more)
    work.settle(instance.name, instances={**work.record.instances, instance.name: entry})
