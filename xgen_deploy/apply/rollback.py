"""The previous version, kept on the host until the new one has passed its gate (see guard.py)."""

import time

from xgen_deploy.apply.guard import arm, disarm
from xgen_deploy.apply.host_context import HostContext
from xgen_deploy.render.put_back import NOTHING_STOPPED, STOPPED_BEFORE
from xgen_deploy.state.endpoint import local_address
from xgen_deploy.state.layout import SECOND
from xgen_deploy.state.record import InstanceRecord
from xgen_deploy.transport.base import Session

_ASK = 60.0
_START = 300.0
_PAUSE = 0.5
_STOPPED = "stopped"
SERVES_AGAIN = "The previous version was put back and serves again"
STOPPED_AS_BEFORE = "The previous version was put back, and is stopped as it was"
NOT_READY = "The previous version was put back and started, but is not ready yet"


def forget_previous(context: HostContext, instance: str) -> None:
    """What an apply that was cut short may have left of it."""
    context.session.remove(context.layout.previous(instance), within=context.layout.state_dir)
    for slot in ("", SECOND):
        disarm(context, instance + slot)


def serves(session: Session, last: InstanceRecord, timeout: float) -> bool:
    """Waits until the version in the record says that it is healthy."""
    deadline = time.monotonic() + timeout
    address = local_address(last.spec.listen)
    while time.monotonic() < deadline:
        reply = session.request("GET", address, last.spec.port, last.health_path, timeout=5.0)
        if reply.status == 200:
            return True
        time.sleep(_PAUSE)
    return False


class Previous:
    """Of one instance. `keep`, `stopping`, then either `discard` or `put_back`.

    `kept`: there is one. `stopped`: whoever puts it back has to start it too.
    """

    def __init__(self, context: HostContext, instance: str, name_on_host: str) -> None:
        """`name_on_host`: see layout.py."""
        layout = context.layout
        self._context = context
        self._instance = instance
        self._name_on_host = name_on_host
        self._service = layout.service(name_on_host)
        self._folder = layout.previous(instance)
        self._script = layout.put_back_script
        self.kept = False
        self.stopped = False

    def keep(self) -> None:
        """Copies what runs, if there is such, and arms the guard."""
        context, layout = self._context, self._context.layout
        definition = layout.definition(self._name_on_host)
        if (
            self._instance not in context.record.instances
            or context.session.read_file(definition) is None
        ):
            return
        armed = context.session.read_file(f"{self._folder}/armed")
        # An apply that was cut short after the stop left the one that worked here, and another one
        # in its place.
        self.stopped = armed is not None and armed.decode(errors="replace") != NOTHING_STOPPED
        if not self.stopped:
            self._copy(definition)
        self.kept = True
        if self._stopped_before:
            context.session.write_file(f"{self._folder}/{STOPPED_BEFORE}", b"", mode=0o600)
        context.session.write_file(self._script, context.rendering.put_back().encode(), mode=0o700)
        arm(context, self._name_on_host, self._put_back_argv(), self._restart_argv())

    def _copy(self, definition: str) -> None:
        context = self._context
        context.session.remove(self._folder, within=context.layout.state_dir)
        context.session.make_dir(self._folder, mode=0o700)
        context.must("cp", "-a", definition, f"{self._folder}/definition")
        settings = context.layout.settings(self._name_on_host)
        if self._there(settings):
            context.must("cp", "-a", settings, f"{self._folder}/settings")
        self._say(NOTHING_STOPPED)

    def stopping(self) -> None:
        """From here on the one that runs is changed."""
        if self.kept:
            self._say(_STOPPED)
        self.stopped = True

    def _say(self, phase: str) -> None:
        self._context.session.write_file(f"{self._folder}/armed", phase.encode(), mode=0o600)

    def discard(self) -> None:
        """The new version passed its gate: drops the previous one."""
        self._context.session.remove(self._folder, within=self._context.layout.state_dir)
        disarm(self._context, self._name_on_host)

    def put_back(self, timeout: float) -> str:
        """A clause for people about how that ended."""
        argv = ["sh", *self._put_back_argv(), *self._restart_argv()]
        done = self._context.session.run(argv, timeout=_START)
        disarm(self._context, self._name_on_host)
        if done.returncode != 0:
            error = done.complaint or "no reason given"
            return f"Putting the previous version back failed too: {error}"
        self._context.session.remove(self._folder, within=self._context.layout.state_dir)
        last = self._context.record.instances[self._instance]
        if self._stopped_before:
            return STOPPED_AS_BEFORE
        if serves(self._context.session, last, timeout):
            return SERVES_AGAIN
        return NOT_READY

    def _put_back_argv(self) -> tuple[str, ...]:
        layout = self._context.layout
        paths = (layout.definition(self._name_on_host), layout.settings(self._name_on_host))
        return (self._script, self._folder, *paths)

    @property
    def _stopped_before(self) -> bool:
        """On purpose: what failed its proof must not run in its place, as on a cordoned card."""
        last = self._context.record.instances.get(self._instance)
        return last is not None and last.stopped is not None

    def _restart_argv(self) -> tuple[str, ...]:
        manager = self._context.service_manager
        if self._stopped_before:
            return manager.stop_argv(self._service)
        return manager.restart_argv(self._service)

    def _there(self, path: str) -> bool:
        return self._context.session.run(["test", "-e", path], timeout=_ASK).returncode == 0
