"""Stopping, starting and restarting on purpose, as planned: drained before, proved after."""

import time
from contextlib import suppress

from xgen_deploy.apply.drain import drain, drain_time
from xgen_deploy.apply.events import Event, Listener
from xgen_deploy.apply.gate import Gate, NotGood
from xgen_deploy.apply.host_context import HostAtWork
from xgen_deploy.apply.service_manager import EndedAtOnce
from xgen_deploy.apply.stop_first import TIMEOUT, Failed
from xgen_deploy.apply.traffic import Switch
from xgen_deploy.backends.registry import backend_named
from xgen_deploy.errors import XgenError
from xgen_deploy.state.instance import Instance
from xgen_deploy.state.plan import Operation
from xgen_deploy.state.record import InstanceRecord, Stopped
from xgen_deploy.state.secret_uses import engine_key


def maintain(
    work: HostAtWork, operation: Operation, switch: Switch, by: str, tell: Listener
) -> str:
    """A clause for people. Raises Failed, and NotMoved where a gateway could not be told."""
    if operation.instance is None:
        raise XgenError(f"{operation.id}: it was never applied here")
    if operation.action == "stop":
        _stop(work, operation.instance, switch, by)
        return "stopped; `xgen-deploy start` starts it again"
    return _start(work, operation, operation.instance, switch, tell)


def _stop(work: HostAtWork, instance: Instance, switch: Switch, by: str) -> None:
    """It stays stopped over boots and applies, until `start`."""
    name = instance.name
    with switch.moving(work.name, name):
        drain(work, switch, name, drain_time(instance.declared))
        _remember(work, name, stopped=Stopped(by=by, at=time.time()))
        work.supervision.stop(work.layout.service(instance.slotted))
        switch.gone(work.name, name)


def _start(
    work: HostAtWork, operation: Operation, instance: Instance, switch: Switch, tell: Listener
) -> str:
    """Its files stay as they are. What does not pass the gate is left to its supervisor, and the
    gateway sends it requests again once it finds it healthy."""
    name, service = instance.name, work.layout.service(instance.slotted)
    try:
        with switch.moving(work.name, name):
            if operation.action == "restart":
                drain(work, switch, name, drain_time(instance.declared))
            tell(Event(kind="start", host=work.name, instance=name, text="starting"))
            with suppress(EndedAtOnce):  # the gate tells how, with its log
                work.supervision.start(service)
            _remember(work, name, stopped=None, invocation=None)
        _prove(work, instance, service, tell)
    except NotGood as error:
        raise Failed(f"{error.reason}. It is the version that ran before", error.log) from None
    finally:
        switch.enable(work.name, name)
    return f"answers on port {instance.spec.port} again"


def _prove(work: HostAtWork, instance: Instance, service: str, tell: Listener) -> None:
    backend = backend_named(instance.spec.backend)
    if backend is None:
        raise XgenError(f"{instance.spec.backend} cannot be asked for a real request")
    key = work.secrets_of(instance.name).delivered().get(engine_key(work.name, instance.name))
    gate = Gate(instance, service, backend, work.session, work.supervision, key)
    proving = Event(kind="gate", host=work.name, instance=instance.name, text="a real request")
    good = gate.wait(instance.declared.update.timeout or TIMEOUT, lambda: tell(proving))
    _remember(work, instance.name, invocation=good.run, report=good.report)


def _remember(work: HostAtWork, name: str, **changes: object) -> None:
    last: InstanceRecord = work.record.instances[name]
    entry = last.model_copy(update=changes)
    work.keep(instances={**work.record.instances, name: entry})
