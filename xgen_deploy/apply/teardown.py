"""Takes the last traces of a project off a host: settings, secrets, record, supervisor."""

from xgen_deploy.apply.host_context import HostContext
from xgen_deploy.apply.supervisord import Supervisord
from xgen_deploy.apply.watchdog import unwatch

_ASK = 30.0


def clear(context: HostContext) -> None:
    """After every instance was removed. Model files are never touched."""
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
