"""Removes from a host: a slot of an instance, an instance, the rest of a project."""

from xgen_deploy.apply.containers import remove_container
from xgen_deploy.apply.drain import drain, drain_time
from xgen_deploy.apply.host_context import HostContext
from xgen_deploy.apply.rollback import forget_previous
from xgen_deploy.apply.staging import unstage
from xgen_deploy.apply.supervisord import Supervisord
from xgen_deploy.apply.traffic import Traffic
from xgen_deploy.apply.watchdog import unwatch
from xgen_deploy.state.layout import SECOND
from xgen_deploy.state.plan import Operation

_ASK = 30.0


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
    context.session.remove(context.layout.vectors(name), within=context.layout.state_dir)
    context.keep(lambda record: record.without_instance(name).settled(name))


def clear_stale_slot(context: HostContext, operation: Operation) -> None:
    """What an earlier change left in the instance's other slot would hold its GPU and its port."""
    if operation.stale_slot is not None:
        clear_slot(context, operation.name, operation.stale_slot.removeprefix(operation.name))


def clear_slot(context: HostContext, instance: str, slot: str) -> None:
    """Stops and removes one slot of an instance; one that does not exist is not an error."""
    layout, name_on_host = context.layout, instance + slot
    context.service_manager.stop(layout.service(name_on_host))
    remove_container(context, instance, layout.service(name_on_host))
    if context.session.remove(layout.definition(name_on_host), within=layout.definitions):
        context.service_manager.reload()
    context.session.remove(layout.settings(name_on_host), within=layout.etc_dir)
    unstage(context, name_on_host)


def clear_host(context: HostContext) -> None:
    """Settings, secrets, record, supervisor: after every instance was removed. Model files are
    never touched."""
    if isinstance(context.service_manager, Supervisord):
        context.service_manager.end()
    else:
        unwatch(context)
    # First, so that who waits for the lock makes nothing there while the rest goes.
    context.session.remove(context.layout.lock_queue, within=context.layout.state_dir)
    for folder in {context.layout.etc_dir, context.layout.state_dir}:
        context.session.remove(folder, within=_parent(folder))
    for parent in {_parent(context.layout.etc_dir), _parent(context.layout.state_dir)}:
        # Other projects may lie beside this one: only an empty folder goes.
        context.session.run(["rmdir", "--ignore-fail-on-non-empty", parent], timeout=_ASK)


def _parent(path: str) -> str:
    return path.rsplit("/", 1)[0]
