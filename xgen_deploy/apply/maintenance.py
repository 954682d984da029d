"""Stopping, starting and restarting on purpose, as planned: drained before, proved after."""

import time
from collections.abc import Callable
from contextlib import suppress

from xgen_deploy.apply.drain import drain, drain_time
from xgen_deploy.apply.events import Event, Listener
from xgen_deploy.apply.gate import Gate, GateFailed
from xgen_deploy.apply.host_context import HostContext
from xgen_deploy.apply.service_manager import EndedAtOnce
from xgen_deploy.apply.stop_first import TIMEOUT, Failed
from xgen_deploy.apply.traffic import Traffic
from xgen_deploy.backends.registry import backend_named
from xgen_deploy.errors import XgenError
from xgen_deploy.frozen import replace
from xgen_deploy.state.instance import Instance
from xgen_deploy.state.plan import Operation
from xgen_deploy.state.record import InstanceRecord, Stopped
from xgen_deploy.state.secret_uses import engine_key


def maintain(
    context: HostContext, operation: Operation, traffic: Traffic, by: str, tell: Listener
) -> str:
    """A clause for people. Raises Failed, and NotMoved where a gateway could not be told."""
    if operation.instance is None:
        raise XgenError(f"{operation.id}: it was never applied here")
    if operation.action == "stop":
        _stop(context, operation.instance, traffic, by)
        return "stopped; `xgen-deploy start` starts it again"
    return _start(context, operation, operation.instance, traffic, tell)


def _stop(context: HostContext, instance: Instance, traffic: Traffic, by: str) -> None:
    """It stays stopped over boots and applies, until `start`."""
    name = instance.name
    with traffic.moving(context.name, name):
        drain(context, traffic, name, drain_time(instance.declared))
        stopped = Stopped(by=by, at=time.time())
        _remember(context, name, lambda last: replace(last, stopped=stopped))
        context.service_manager.stop(context.layout.service(instance.name_on_host))
        traffic.gone(context.name, name)


def _start(
    context: HostContext, operation: Operation, instance: Instance, traffic: Traffic, tell: Listener
) -> str:
    """Its files stay as they are. What does not pass the gate is left to its supervisor, and the
    gateway sends it requests again once it finds it healthy."""
    name, service = instance.name, context.layout.service(instance.name_on_host)
    try:
        with traffic.moving(context.name, name):
            if operation.action == "restart":
                drain(context, traffic, name, drain_time(instance.declared))
            tell(Event(kind="start", host=context.name, instance=name, text="starting"))
            with suppress(EndedAtOnce):  # the gate tells how, with its log
                context.service_manager.start(service)
            _remember(context, name, lambda last: replace(last, stopped=None, invocation=None))
        _prove(context, instance, service, tell)
    except GateFailed as error:
        raise Failed(f"{error.reason}. It is the version that ran before", error.log) from None
    finally:
        traffic.enable(context.name, name)
    return f"answers on port {instance.spec.port} again"


def _prove(context: HostContext, instance: Instance, service: str, tell: Listener) -> None:
    backend = backend_named(instance.spec.backend)
    if backend is None:
        raise XgenError(f"{instance.spec.backend} cannot be asked for a real request")
    key = context.secrets_of(instance.name).delivered().get(engine_key(context.name, instance.name))
    gate = Gate(instance, service, backend, context.session, context.service_manager, key)
    proving = Event(kind="gate", host=context.name, instance=instance.name, text="a real request")
    passed = gate.wait(instance.declared.update.timeout or TIMEOUT, lambda: tell(proving))
    _remember(
        context,
        instance.name,
        lambda last: replace(last, invocation=passed.run, report=passed.report),
    )


def _remember(
    context: HostContext, name: str, change: Callable[[InstanceRecord], InstanceRecord]
) -> None:
    context.keep(lambda record: record.with_instance(name, change(record.instances[name])))
