"""Brings an instance up in its own slot: what runs there is stopped first, and put back where the
new one does not pass its gate.
"""

import time
from contextlib import suppress

from xgen_deploy.apply.adoption import Adoption
from xgen_deploy.apply.drain import drain, drain_time
from xgen_deploy.apply.execution import Execution
from xgen_deploy.apply.gate import GatePassed
from xgen_deploy.apply.rollback import Previous
from xgen_deploy.apply.staging import stage, unstage
from xgen_deploy.apply.steps import (
    Prepared,
    failed,
    prepare,
    prove,
    ready_timeout,
    remember,
    start_staged,
)
from xgen_deploy.apply.teardown import clear_slot
from xgen_deploy.apply.traffic import NotMoved
from xgen_deploy.errors import UnreachableError, XgenError
from xgen_deploy.state.plan import Operation


def bring_up(execution: Execution, operation: Operation) -> GatePassed:
    """Create, repair, or update by stopping first. Raises OperationFailed."""
    context, traffic = execution.context, execution.traffic
    new = prepare(execution, operation)
    instance = new.instance
    previous = Previous(context, instance.name, instance.name_on_host)
    adoption = Adoption(context, instance)
    began = time.monotonic()
    try:
        previous.keep()
        stage(context, new.rendered, instance.name_on_host)
        with traffic.moving(context.name, instance.name):
            traffic.before_new_key(context.name, instance.name)
            drain(context, traffic, instance.name, drain_time(instance.declared))
            previous.stopping()
            adoption.begin()
            traffic.keys.runs_with_new_key(context.name, instance.name)
            start_staged(execution, new)
        passed = prove(execution, new)
        adoption.proved()
        remember(execution, new, passed, time.monotonic() - began)
    except UnreachableError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever it was, the previous one comes back
        if previous.stopped:
            ending = _put_back(execution, new, previous)
            ending = adoption.give_back() or ending
            execution.tell("rolled_back", instance.name, ending)
        else:
            ending = _leave_alone(execution, new, previous)
        raise failed(execution, error, ending) from None
    try:
        adoption.end()
        if previous.kept:
            previous.discard()
    finally:
        traffic.enable(context.name, instance.name)
    return passed


def _leave_alone(execution: Execution, new: Prepared, previous: Previous) -> str:
    """Nothing was stopped or changed yet; a clause about how it stands."""
    context, name = execution.context, new.instance.name
    with suppress(NotMoved):  # it may be that nothing was drained, or nothing can be told
        execution.traffic.enable(context.name, name)
    try:
        unstage(context, new.instance.name_on_host)
        previous.discard()
        context.keep(lambda record: record.settled(name))
    except XgenError as error:
        return f"The one that runs was left as it is; cleaning up failed too: {error}"
    return "The one that runs was left as it is" if previous.kept else "Nothing was begun"


def _put_back(execution: Execution, new: Prepared, previous: Previous) -> str:
    """The previous version, or nothing at all where there was none; a clause about it."""
    context, traffic = execution.context, execution.traffic
    instance, ending = new.instance, ""
    try:
        if previous.kept:
            ending = previous.put_back(ready_timeout(instance))
        else:
            clear_slot(context, instance.name, instance.slot)
            ending = "It was stopped and taken away; nothing was there before"
        traffic.keys.runs_with_old_key(context.name, instance.name)
        traffic.enable(context.name, instance.name)  # before what a full disk may refuse
        context.keep(lambda record: record.settled(instance.name))
    except XgenError as error:
        return (
            f"{ending}, but then: {error}"
            if ending
            else f"Putting the previous version back failed too: {error}"
        )
    return ending
