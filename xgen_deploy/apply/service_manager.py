"""Making an instance run, whichever supervises it: systemd, or the process runtime's own."""

from typing import Protocol

from xgen_deploy.frozen import Frozen
from xgen_deploy.transport.base import HostError


class State(Frozen):
    """How an instance's process is. `alive` False: it ended or was never started.

    `restarts` counts automatic ones since it was last started by hand; `run` names this start,
    so that a restart shows. `result` and `status` are how it ended, in systemd's words (see
    ending.py); None where nobody tells.
    """

    alive: bool
    detail: str
    restarts: int = 0
    run: str | None = None
    result: str | None = None
    status: int | None = None


class EndedAtOnce(HostError):
    """It was started, and ended before the supervisor could call it started."""


class ServiceManager(Protocol):
    """Every call raises XgenError in a sentence when the host refuses."""

    def prepare(self) -> None:
        """Prepares the host for its first instance."""

    def reload(self) -> None:
        """After a definition was written or removed."""

    def start(self, service: str) -> None:
        """(Re)start, and at every boot from now on. Raises EndedAtOnce."""

    def stop(self, service: str) -> None:
        """Stops it, now and at boot. A service that does not exist is not an error."""

    def restore(self, service: str, *, reload: bool) -> None:
        """Its start at boot, and its definition alone, without changes from elsewhere; what runs
        goes on. `reload` False: that is read at its next start."""

    def restart_argv(self, service: str) -> tuple[str, ...]:
        """A command that starts the service again, for a script on the host."""

    def stop_argv(self, service: str) -> tuple[str, ...]:
        """The same for one that is to be stopped."""

    def pid(self, service: str) -> int | None:
        """Of the process that was started; None where it does not run."""

    def state(self, service: str) -> State: ...

    def log(self, service: str, run: str | None, *, lines: int | None = None) -> str:
        """What the instance printed in one start (None: in all), or the last `lines` of that; all
        of it, also where it has just ended."""

    def gap(self, service: str, run: str | None) -> str | None:
        """A clause about why the log of a start may lack lines; None where nothing is known."""

    def kernel_log(self, service: str) -> tuple[str, ...]:
        """What the kernel said since the service's last start; () where it cannot be read."""
