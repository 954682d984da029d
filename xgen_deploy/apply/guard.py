"""What puts the previous version back when apply is gone: a guard that waits for apply's lock, and
a unit for the next boot, should the host lose power in the middle of a change. Another such guard
has a gateway send requests again to what apply drained.
"""

from collections.abc import Sequence

from xgen_deploy.apply.host_context import HostAtWork

_ASK = 60.0
_TRANSIENT = "/run/systemd/transient/"


def arm(work: HostAtWork, slotted: str, script: Sequence[str], restart: Sequence[str]) -> None:
    """`script` is put-back.sh with its arguments, `restart` what starts the service again.
    `slotted` is the instance's name on the host. Raises HostError."""
    layout = work.layout
    command = ["sh", *script, *restart]
    if layout.process_dir is not None:
        work.must("setsid", "--fork", "flock", layout.lock, *command)
        return
    _write_boot_unit(work, slotted, script)
    _arm_unit(work, layout.guard(slotted), command)
    _stop_older_guard(work, slotted)


def disarm(work: HostAtWork, slotted: str) -> None:
    """Before the lock is freed, lest the guard hold it when the next apply comes. Under the
    process runtime the guard finds nothing armed and ends."""
    if work.layout.process_dir is not None:
        return
    _stop(work, work.layout.guard(slotted))
    _stop_older_guard(work, slotted)
    path = work.layout.boot_unit(slotted)
    if work.session.read_file(path) is not None:
        disable = ["systemctl", "disable", "--quiet", "--no-reload", path.rpartition("/")[2]]
        work.session.run(disable, timeout=_ASK)
        work.session.remove(path, within=work.layout.definitions)


def arm_drained(work: HostAtWork, server: str, command: Sequence[str]) -> None:
    """On a gateway's host: `command` makes the gateway send requests to the server again. It may
    run too where nothing is drained any more. Raises HostError."""
    _arm_unit(work, work.layout.drained_guard(server), command)


def disarm_drained(work: HostAtWork, server: str) -> None:
    """What is not there is no error. Raises HostError."""
    _stop(work, work.layout.drained_guard(server))


def _arm_unit(work: HostAtWork, unit: str, command: Sequence[str]) -> None:
    layout = work.layout
    waiting = ("flock", layout.lock, *command)
    guard = ("systemd-run", "--quiet", "--collect", f"--unit={unit}", *waiting)
    if work.session.run(guard, timeout=_ASK).returncode != 0:
        _stop(work, unit)  # one that an apply left behind which was cut short
        work.must(*guard)


def _write_boot_unit(work: HostAtWork, slotted: str, script: Sequence[str]) -> None:
    """It matters at the next boot only, which reads it: no reload."""
    path = work.layout.boot_unit(slotted)
    text = work.rendering.put_back_unit(slotted, script)
    work.session.write_file(path, text.encode(), mode=0o644)
    work.must("systemctl", "enable", "--quiet", "--no-reload", path.rpartition("/")[2])


def _stop_older_guard(work: HostAtWork, slotted: str) -> None:
    """0.1.0 gave its guard a name that an instance may have too: only a transient unit that runs
    put-back.sh is one."""
    unit = f"{work.layout.service(slotted)}-guard.service"
    asked = ["systemctl", "show", "--property=FragmentPath,ExecStart", unit]
    shown = work.session.run(asked, timeout=_ASK).stdout
    if f"FragmentPath={_TRANSIENT}" in shown and work.layout.put_back_script in shown:
        _stop(work, unit)


def _stop(work: HostAtWork, unit: str) -> None:
    work.session.run(["systemctl", "stop", unit], timeout=_ASK)
