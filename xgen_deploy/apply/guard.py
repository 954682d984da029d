"""What puts the previous version back when apply is gone: a guard that waits for apply's lock, and
a unit for the next boot, should the host lose power in the middle of a change. Another such guard
has a gateway send requests again to what apply drained.
"""

from collections.abc import Sequence

from xgen_deploy.apply.host_context import HostContext

_ASK = 60.0
_TRANSIENT = "/run/systemd/transient/"


def arm(
    context: HostContext, name_on_host: str, script: Sequence[str], restart: Sequence[str]
) -> None:
    """`script` is put-back.sh with its arguments, `restart` what starts the service again.
    Raises HostError."""
    layout = context.layout
    command = ["sh", *script, *restart]
    if layout.process_dir is not None:
        context.must("setsid", "--fork", "flock", layout.lock, *command)
        return
    _write_boot_unit(context, name_on_host, script)
    _arm_unit(context, layout.guard(name_on_host), command)
    _stop_older_guard(context, name_on_host)


def arm_command(context: HostContext, name_on_host: str, command: Sequence[str]) -> None:
    """The same for an instance that takes the place of something that is not of this tool:
    `command` starts that again. Raises HostError."""
    _arm_unit(context, context.layout.guard(name_on_host), command)


def disarm(context: HostContext, name_on_host: str) -> None:
    """Before the lock is freed, lest the guard hold it when the next apply comes. Under the
    process runtime the guard finds nothing armed and ends."""
    if context.layout.process_dir is not None:
        return
    _stop(context, context.layout.guard(name_on_host))
    _stop_older_guard(context, name_on_host)
    path = context.layout.boot_unit(name_on_host)
    if context.session.read_file(path) is not None:
        disable = ["systemctl", "disable", "--quiet", "--no-reload", path.rpartition("/")[2]]
        context.session.run(disable, timeout=_ASK)
        context.session.remove(path, within=context.layout.definitions)


def arm_drained(context: HostContext, server: str, command: Sequence[str]) -> None:
    """On a gateway's host: `command` makes the gateway send requests to the server again. It may
    run too where nothing is drained any more. Raises HostError."""
    _arm_unit(context, context.layout.drained_guard(server), command)


def disarm_drained(context: HostContext, server: str) -> None:
    """A guard that does not exist is not an error. Raises HostError."""
    _stop(context, context.layout.drained_guard(server))


def _arm_unit(context: HostContext, unit: str, command: Sequence[str]) -> None:
    layout = context.layout
    waiting = ("flock", layout.lock, *command)
    guard = ("systemd-run", "--quiet", "--collect", f"--unit={unit}", *waiting)
    if context.session.run(guard, timeout=_ASK).returncode != 0:
        _stop(context, unit)  # one that an apply left behind which was cut short
        context.must(*guard)


def _write_boot_unit(context: HostContext, name_on_host: str, script: Sequence[str]) -> None:
    """Without a reload: only the next boot reads it."""
    path = context.layout.boot_unit(name_on_host)
    text = context.rendering.put_back_unit(name_on_host, script)
    context.session.write_file(path, text.encode(), mode=0o644)
    context.must("systemctl", "enable", "--quiet", "--no-reload", path.rpartition("/")[2])


def _stop_older_guard(context: HostContext, name_on_host: str) -> None:
    """0.1.0 gave its guard a name that an instance may have too: only a transient unit that runs
    put-back.sh is one."""
    unit = f"{context.layout.service(name_on_host)}-guard.service"
    asked = ["systemctl", "show", "--property=FragmentPath,ExecStart", unit]
    shown = context.session.run(asked, timeout=_ASK).stdout
    if f"FragmentPath={_TRANSIENT}" in shown and context.layout.put_back_script in shown:
        _stop(context, unit)


def _stop(context: HostContext, unit: str) -> None:
    context.session.run(["systemctl", "stop", unit], timeout=_ASK)
