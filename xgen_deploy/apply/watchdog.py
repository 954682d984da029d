"""Keeps the timer that looks after a host's engines in step with what runs there."""

from xgen_deploy.apply.host_context import HostAtWork
from xgen_deploy.transport.base import HostError

_ASK = 60.0


def watch(work: HostAtWork) -> None:
    """Written anew only where it differs; taken away with the last instance."""
    files = work.rendering.heal(work.record, work.python)
    if not files:
        unwatch(work)
        return
    there = {f.path: work.session.read_file(f.path) for f in files}
    changed = [f for f in files if there[f.path] != f.content.encode()]
    for file in changed:
        work.session.write_file(file.path, file.content.encode(), mode=file.mode)
    units = [f for f in changed if f.path.endswith((".service", ".timer"))]
    if units:
        timer = f"{work.layout.heal}.timer"
        enable = ["systemctl", "enable", "--quiet", "--no-reload", timer]
        work.session.run(enable, timeout=_ASK)
        start = ["systemctl", "start", timer]
        known = any(there[f.path] is not None for f in units)
        if known:
            work.supervision.reload()
        done = work.session.run(start, timeout=_ASK)
        if done.returncode != 0 and not known:  # an older systemd does not look for new units
            work.supervision.reload()
            done = work.session.run(start, timeout=_ASK)
        if done.returncode != 0:
            raise HostError(work.name, f"{timer} could not be started: {done.stderr.strip()}")


def unwatch(work: HostAtWork) -> None:
    """What is not there is no error."""
    if work.layout.process_dir is not None:
        return
    timer, service = (f"{work.layout.heal}.{kind}" for kind in ("timer", "service"))
    paths = [f"{work.layout.unit_dir}/{unit}" for unit in (timer, service)]
    if all(work.session.read_file(path) is None for path in paths):
        return
    work.session.run(["systemctl", "disable", "--now", "--quiet", timer], timeout=_ASK)
    work.session.run(["systemctl", "stop", service], timeout=_ASK)
    removed = [work.session.remove(path, within=work.layout.unit_dir) for path in paths]
    if any(removed):
        work.supervision.reload()
