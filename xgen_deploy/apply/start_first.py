"""An update that starts the new one first: both run, the gateway moves the requests over, then the
old one goes. Whatever fails before that leaves the old one as it was, and loses no request.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from xgen_deploy.apply.drain import drain, drain_time
from xgen_deploy.apply.events import Event, Listener
from xgen_deploy.apply.gate import GatePassed
from xgen_deploy.apply.host_context import HostContext
from xgen_deploy.apply.rollback import forget_previous
from xgen_deploy.apply.stop_first import (
    Prepared,
    clear_slot,
    failed,
    launch,
    prepare,
    prove,
    remember,
)
from xgen_deploy.apply.traffic import Traffic
from xgen_deploy.backends.registry import health_path_of
from xgen_deploy.errors import UnreachableError, XgenError
from xgen_deploy.state.endpoint import Endpoint, endpoint_of
from xgen_deploy.state.plan import Operation


def start_first_update(
    context: HostContext, operation: Operation, traffic: Traffic, number: int, tell: Listener
) -> GatePassed:
    """Raises apply.operation.Failed."""
    name = operation.name
    old = context.record.instances[name]
    new = prepare(context, operation)
    began = time.monotonic()
    try:
        launch(context, new, tell)
        good = prove(context, new, tell)
        took = time.monotonic() - began
        with traffic.moving(context.name, name):
            with _taken_back(context, name, traffic):
                traffic.add(_serving(context, new))
                drain(context, traffic, name, drain_time(new.instance.declared))
                remember(context, new, good, number, took, other_port=old.spec.port)
            traffic.rekeyed(context.name, name)
            traffic.gone(context.name, name)
    except UnreachableError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever it was, the new one goes
        ending = _give_up(context, new)
        tell(Event(kind="rolled_back", host=context.name, instance=name, text=ending))
        raise failed(context, error, ending) from None
    text = f"requests go to port {new.instance.spec.port} now"
    tell(Event(kind="switched", host=context.name, instance=name, text=text))
    clear_slot(context, name, old.slot)
    forget_previous(context, name)
    return good


@contextmanager
def _taken_back(context: HostContext, name: str, traffic: Traffic) -> Iterator[None]:
    """Where it fails, the gateways have the old one alone again."""
    try:
        yield
    except UnreachableError:
        raise
    except Exception:
        traffic.enable(context.name, name)
        raise


def _serving(context: HostContext, new: Prepared) -> Endpoint:
    spec = new.instance.spec
    path = health_path_of(spec.backend)
    return endpoint_of(context.name, new.instance.name, spec, path, second=True)


def _give_up(context: HostContext, new: Prepared) -> str:
    """The new one goes; a clause about how it stands."""
    try:
        clear_slot(context, new.instance.name, new.instance.slot)
        context.keep(lambda record: record.settled(new.instance.name))
    except XgenError as error:
        return f"Taking the new one away failed too: {error}"
    return "The one that runs was left as it is, and serves on"
