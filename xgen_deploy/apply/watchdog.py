"""Keeps a host's watchdog in step with the instances that run there."""

from xgen_deploy.apply.exporter import follow_record
from xgen_deploy.apply.host_context import HostContext
from xgen_deploy.transport.base import HostError

_ASK = 60.0


def watch(context: HostContext) -> None:
    """Writes the watchdog's files where they differ; removes them with the last instance. What
    watches the host for people follows too.
    """
    follow_record(context)
    files = context.rendering.watchdog(context.record, context.python)
    if not files:
        unwatch(context)
        return
    current = {f.path: context.session.read_file(f.path) for f in files}
    changed = [f for f in files if current[f.path] != f.content.encode()]
    for file in changed:
        context.session.write_file(file.path, file.content.encode(), mode=file.mode)
    units = [f for f in changed if f.path.endswith((".service", ".timer"))]
    if units:
        timer = f"{context.layout.watchdog}.timer"
        enable = ["systemctl", "enable", "--quiet", "--no-reload", timer]
        context.session.run(enable, timeout=_ASK)
        start = ["systemctl", "start", timer]
        known = any(current[f.path] is not None for f in units)
        if known:
            context.service_manager.reload()
        done = context.session.run(start, timeout=_ASK)
        if done.returncode != 0 and not known:  # an older systemd does not look for new units
            context.service_manager.reload()
            done = context.session.run(start, timeout=_ASK)
        if done.returncode != 0:
            raise HostError(context.name, f"{timer} could not be started: {done.stderr.strip()}")


def repair_watchdog(context: HostContext) -> None:
    """Its files, and its timer, now and at boot."""
    watch(context)
    timer = f"{context.layout.watchdog}.timer"
    context.must("systemctl", "enable", "--quiet", "--no-reload", timer)
    context.must("systemctl", "start", timer)


def unwatch(context: HostContext) -> None:
    """Files that do not exist are not an error."""
    if context.layout.process_dir is not None:
        return
    timer, service = (f"{context.layout.watchdog}.{kind}" for kind in ("timer", "service"))
    paths = [f"{context.layout.unit_dir}/{unit}" for unit in (timer, service)]
    if all(context.session.read_file(path) is None for path in paths):
        return
    context.session.run(["systemctl", "disable", "--now", "--quiet", timer], timeout=_ASK)
    context.session.run(["systemctl", "stop", service], timeout=_ASK)
    removed = [context.session.remove(path, within=context.layout.unit_dir) for path in paths]
    if any(removed):
        context.service_manager.reload()
