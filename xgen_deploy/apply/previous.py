"""The version that worked, kept on the host while another one is tried.

A guard on the host waits for apply's lock, which the kernel frees when apply or its connection
is gone: what is still armed then is put back without anybody's help.
"""

import time

from xgen_deploy.apply.place import HostAtWork
from xgen_deploy.record import InstanceRecord
from xgen_deploy.transport.base import HostError
from xgen_deploy.verify.proof import local_address

_ASK = 60.0
_START = 300.0
_PAUSE = 0.5


def forget_previous(work: HostAtWork, instance: str) -> None:
    """What an apply that was cut short may have left of it."""
    work.session.remove(work.layout.previous(instance), within=work.layout.state_dir)


class Previous:
    """Of one instance. `keep`, then either `discard` or `put_back`."""

    def __init__(self, work: HostAtWork, instance: str, slotted: str) -> None:
        """`slotted` is its name on the host (see layout.py)."""
        layout = work.layout
        self._work = work
        self._instance = instance
        self._slotted = slotted
        self._service = layout.service(slotted)
        self._folder = layout.previous(instance)
        self._script = f"{layout.state_dir}/put-back.sh"
        self._guard = f"{self._service}-guard"

    def keep(self) -> bool:
        """Copies what runs and arms the guard. False where there is nothing to keep."""
        work, layout = self._work, self._work.layout
        definition = layout.definition(self._slotted)
        if (
            self._instance not in work.record.instances
            or work.session.read_file(definition) is None
        ):
            return False
        if work.session.read_file(f"{self._folder}/armed") is None:
            work.session.remove(self._folder, within=work.layout.state_dir)
            work.session.make_dir(self._folder, mode=0o700)
            self._must("cp", "-a", definition, f"{self._folder}/definition")
            settings = layout.settings(self._slotted)
            if self._there(settings):
                self._must("cp", "-a", settings, f"{self._folder}/settings")
            work.session.write_file(f"{self._folder}/armed", b"", mode=0o600)
        work.session.write_file(self._script, work.rendering.put_back().encode(), mode=0o700)
        self._arm()
        return True

    def discard(self) -> None:
        """The new version is good."""
        self._work.session.remove(self._folder, within=self._work.layout.state_dir)
        self._disarm()

    def put_back(self, timeout: float) -> str:
        """A clause for people about how that ended."""
        done = self._work.session.run(["sh", self._script, *self._arguments()], timeout=_START)
        self._disarm()
        if done.returncode != 0:
            said = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
            return f"Putting the previous version back failed too: {said}"
        self._work.session.remove(self._folder, within=self._work.layout.state_dir)
        last = self._work.record.instances[self._instance]
        if self._serves(last, time.monotonic() + timeout):
            return "The previous version was put back and serves again"
        return "The previous version was put back and started, but it is not ready yet"

    def _serves(self, last: InstanceRecord, deadline: float) -> bool:
        while time.monotonic() < deadline:
            reply = self._work.session.request(
                "GET",
                local_address(last.spec.listen),
                last.spec.port,
                last.health_path,
                timeout=5.0,
            )
            if reply.status == 200:
                return True
            time.sleep(_PAUSE)
        return False

    def _arguments(self) -> list[str]:
        layout = self._work.layout
        return [
            self._folder,
            layout.definition(self._slotted),
            layout.settings(self._slotted),
            *self._work.supervision.restart_argv(self._service),
        ]

    def _arm(self) -> None:
        waiting = ["flock", self._work.layout.lock, "sh", self._script, *self._arguments()]
        if self._work.layout.process_dir is not None:
            self._must("setsid", "--fork", *waiting)
            return
        guard = ("systemd-run", "--quiet", "--collect", f"--unit={self._guard}", *waiting)
        if self._work.session.run(guard, timeout=_ASK).returncode != 0:
            self._disarm()  # one that an apply left behind which was cut short
            self._must(*guard)

    def _disarm(self) -> None:
        """Before the lock is freed, lest the guard hold it when the next apply comes. Under the
        process runtime the guard finds nothing armed and ends."""
        if self._work.layout.process_dir is None:
            self._work.session.run(["systemctl", "stop", f"{self._guard}.service"], timeout=_ASK)

    def _there(self, path: str) -> bool:
        return self._work.session.run(["test", "-e", path], timeout=_ASK).returncode == 0

    def _must(self, *argv: str) -> None:
        done = self._work.session.run(argv, timeout=_ASK)
        if done.returncode != 0:
            said = (done.stderr.strip().splitlines() or [f"status {done.returncode}"])[-1]
            raise HostError(self._work.name, f"`{argv[0]}` failed: {said}")
