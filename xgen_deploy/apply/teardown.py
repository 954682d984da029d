"""Takes the last traces of a project off a host: settings, secrets, record, supervisor."""

from xgen_deploy.apply.host_context import HostAtWork
from xgen_deploy.apply.supervisord import Supervisord
from xgen_deploy.apply.watchdog import unwatch

_ASK = 30.0


def clear(work: HostAtWork) -> None:
    """After every instance was removed. Model files are never touched."""
    if isinstance(work.supervision, Supervisord):
        work.supervision.end()
    else:
        unwatch(work)
    # First, so that who waits for the lock makes nothing there while the rest goes.
    work.session.remove(work.layout.lock_queue, within=work.layout.state_dir)
    for folder in {work.layout.etc_dir, work.layout.state_dir}:
        work.session.remove(folder, within=_parent(folder))
    for parent in {_parent(work.layout.etc_dir), _parent(work.layout.state_dir)}:
        # Other projects may lie beside this one: only an empty folder goes.
        work.session.run(["rmdir", "--ignore-fail-on-non-empty", parent], timeout=_ASK)


def _parent(path: str) -> str:
    return path.rsplit("/", 1)[0]
