"""An update that starts the new one first: both run, the gateway moves the requests over, then the
old one goes. Whatever fails before that leaves the old one as it was, and loses no request.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from xgen_deploy.apply.drain import drain, drain_time
from xgen_deploy.apply.execution import Execution
from xgen_deploy.apply.gate import GatePassed
from xgen_deploy.apply.rollback import forget_previous
from xgen_deploy.apply.steps import Prepared, failed, prepare, prove, remember, write_and_start
from xgen_deploy.apply.teardown import clear_slot
from xgen_deploy.backends.endpoint import endpoint_of
from xgen_deploy.errors import UnreachableError, XgenError
from xgen_deploy.state.endpoint import Endpoint
from xgen_deploy.state.plan import Operation


def start_first_update(execution: Execution, operation: Operation) -> GatePassed:
    """Raises OperationFailed."""
    context, traffic, name = execution.context, execution.traffic, operation.name
    old = context.record.instances[name]
    new = prepare(execution, operation)
    began = time.monotonic()
    try:
        write_and_start(execution, new)
        passed = prove(execution, new)
        took = time.monotonic() - began
        with traffic.moving(context.name, name):
            with _taken_back(execution, name):
                traffic.add(_endpoint(execution, new))
                drain(context, traffic, name, drain_time(new.instance.declared))
                remember(execution, new, passed, took, other_port=old.spec.port)
            traffic.keys.runs_with_new_key(context.name, name)
            traffic.gone(context.name, name)
    except UnreachableError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever it was, the new one goes
        ending = _give_up(execution, new)
        execution.tell("rolled_back", name, ending)
        raise failed(execution, error, ending) from None
    execution.tell("switched", name, f"requests go to port {new.instance.spec.port} now")
    clear_slot(context, name, old.slot)
    forget_previous(context, name)
    return passed


@contextmanager
def _taken_back(execution: Execution, name: str) -> Iterator[None]:
    """Where it fails, the gateways have the old one alone again."""
    try:
        yield
    except UnreachableError:
        raise
    except Exception:
        execution.traffic.enable(execution.context.name, name)
        raise


def _endpoint(execution: Execution, new: Prepared) -> Endpoint:
    instance = new.instance
    return endpoint_of(
        execution.context.name, instance.name, instance.spec, instance.declared, second=True
    )


def _give_up(execution: Execution, new: Prepared) -> str:
    """Removes the new instance; a clause about the outcome."""
    context, name = execution.context, new.instance.name
    try:
        clear_slot(context, name, new.instance.slot)
        context.keep(lambda record: record.settled(name))
    except XgenError as error:
        return f"Removing the new one failed too: {error}"
    return "The one that runs was left as it is, and serves on"
