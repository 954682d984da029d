"""Takes over from what was started by hand: stopped while the new instance is proved, started again
where that fails, and kept from starting at boot once it has passed its gate.
"""

from collections.abc import Sequence

from xgen_deploy.apply.guard import arm_command, disarm
from xgen_deploy.apply.host_context import HostContext
from xgen_deploy.state.facts import AdoptableFacts
from xgen_deploy.state.instance import Instance
from xgen_deploy.transport.base import HostError

_STOP = 120.0
# Arguments: a file that is there until the new one is proved, its unit, how the other one starts.
_BACK = '[ -e "$1" ] || exit 0; systemctl disable --now --quiet "$2"; shift 2; exec "$@"'


class Adoption:
    """Of one instance; without anything to take over, every call does nothing."""

    def __init__(self, context: HostContext, instance: Instance) -> None:
        self._context = context
        self._instance = instance
        self._adopted = instance.adopts
        self._docker = instance.docker_cli
        self._folder = context.layout.previous(instance.name)
        self.stopped = False

    def begin(self) -> None:
        """Stops it; should the tool be gone from here on, the host starts it again by itself.
        Raises HostError."""
        adopted = self._adopted
        if adopted is None or not adopted.running:
            return
        context = self._context
        context.session.make_dir(self._folder, mode=0o700)
        marker = f"{self._folder}/adopted"
        context.session.write_file(marker, b"", mode=0o600)
        new = f"{context.layout.service(self._instance.name_on_host)}.service"
        back = ("sh", "-c", _BACK, "put-back", marker, new, *self._start(adopted))
        arm_command(context, self._instance.name_on_host, back)
        self.stopped = True
        self._run(self._stop(adopted))

    def proved(self) -> None:
        """The new one has passed its gate: from here on it stays, whatever becomes of the tool."""
        if self.stopped:
            self._context.session.remove(self._folder, within=self._context.layout.state_dir)

    def give_back(self) -> str:
        """Starts it again; a clause about how that went."""
        adopted = self._adopted
        if adopted is None or not self.stopped:
            return ""
        try:
            self._run(self._start(adopted))
        except HostError as error:
            return f"Starting {adopted} again failed too: {error}"
        disarm(self._context, self._instance.name_on_host)
        return f"It was taken away, and {adopted} was started again"

    def end(self) -> None:
        """The new one is recorded. Raises HostError."""
        adopted = self._adopted
        if adopted is None:
            return
        if self.stopped:
            disarm(self._context, self._instance.name_on_host)
        if adopted.at_boot:
            self._run(self._not_at_boot(adopted))

    def _start(self, adopted: AdoptableFacts) -> tuple[str, ...]:
        if adopted.kind == "unit":
            return ("systemctl", "start", adopted.name)
        return (self._docker, "start", adopted.name)

    def _stop(self, adopted: AdoptableFacts) -> tuple[str, ...]:
        if adopted.kind == "unit":
            return ("systemctl", "stop", adopted.name)
        return (self._docker, "stop", adopted.name)

    def _not_at_boot(self, adopted: AdoptableFacts) -> tuple[str, ...]:
        if adopted.kind == "unit":
            return ("systemctl", "disable", "--quiet", "--no-reload", adopted.name)
        return (self._docker, "update", "--restart", "no", adopted.name)

    def _run(self, argv: Sequence[str]) -> None:
        done = self._context.session.run(argv, timeout=_STOP)
        if done.returncode != 0:
            said = done.complaint or f"status {done.returncode}"
            raise HostError(self._context.name, f"`{' '.join(argv)}` failed: {said}")
