"""A host while it is being changed: its session, its record, and how instances run there."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from xgen_deploy.apply.service_manager import ServiceManager
from xgen_deploy.apply.supervisord import Supervisord
from xgen_deploy.apply.systemd import Systemd
from xgen_deploy.audit.trail import HostTrail
from xgen_deploy.errors import XgenError
from xgen_deploy.frozen import replace
from xgen_deploy.limits import RECORD
from xgen_deploy.render.instance import Rendering
from xgen_deploy.resolve.driver_memory import measured
from xgen_deploy.run.run import Run
from xgen_deploy.secrets.delivered import InstanceSecrets
from xgen_deploy.secrets.resolver import SecretResolver
from xgen_deploy.secrets.source import HostFiles
from xgen_deploy.state.driver_memory import merged
from xgen_deploy.state.host import Host
from xgen_deploy.state.layout import Layout
from xgen_deploy.state.observation import Observation
from xgen_deploy.state.record import FORMAT, Record
from xgen_deploy.transport.base import HostError, Session

_ASK = 60.0


@dataclass
class HostContext:
    """`record` is what the host remembers right now; `keep` changes it there at once, one at a
    time: a gateway's host is written to for instances of other hosts too. `python` is the
    interpreter that the tool uses there, `host` what the inventory says of it.
    """

    name: str
    session: Session
    layout: Layout
    rendering: Rendering
    service_manager: ServiceManager
    record: Record
    secrets: SecretResolver
    python: str | None = None
    host: Host | None = None
    audit: HostTrail | None = None
    _keeping: threading.Lock = field(default_factory=threading.Lock)
    _under_way: list[str] = field(default_factory=list)

    def keep(self, change: Callable[[Record], Record]) -> None:
        """Applies `change` to the record, raises its revision by one and writes it atomically."""
        with self._keeping:
            revision = self.record.revision + 1
            record = replace(change(self.record), format=FORMAT, revision=revision)
            content = f"{record.model_dump_json(indent=1, exclude_none=True)}\n".encode()
            if len(content) > RECORD:  # nobody could read it again
                most = RECORD >> 20
                raise HostError(self.name, f"the record would be longer than {most} MiB")
            self.session.write_file(self.layout.record, content, mode=0o600)
            self.record = record

    @contextmanager
    def at_work(self, operation: str) -> Iterator[None]:
        """The lock's file names the operation meanwhile, for who looks at the host."""
        self._note(lambda: self._under_way.append(operation))
        try:
            yield
        finally:
            self._note(lambda: self._under_way.remove(operation))

    def _note(self, change: Callable[[], object]) -> None:
        with self._keeping, suppress(XgenError):  # what is lost shows at the next call
            change()
            self.session.note_operation(self.layout.lock, ", ".join(self._under_way) or None)

    def must(self, *argv: str) -> None:
        """Runs a command on the host. Raises HostError where it fails."""
        done = self.session.run(argv, timeout=_ASK)
        if done.returncode != 0:
            said = done.complaint or f"status {done.returncode}"
            raise HostError(self.name, f"`{argv[0]}` failed: {said}")

    def secrets_of(self, instance: str) -> InstanceSecrets:
        """Of an instance on this host, with what it was given before."""
        last = self.record.instances.get(instance)
        return InstanceSecrets(self.secrets, self.files, self.layout, instance, last)

    @property
    def files(self) -> HostFiles:
        return HostFiles(self.name, self.session)


def host_context(
    run: Run, observation: Observation, session: Session, secrets: SecretResolver
) -> HostContext:
    """Of a locked host. `secrets` are those of the whole apply. Raises XgenError for a record
    that cannot be used.
    """
    name, layout = observation.host, observation.layout
    if observation.record is None:
        raise XgenError(f"{name}: {observation.record_error}")
    record, rendering = observation.record, run.renderer.on(layout)
    seen = measured(observation.facts, record, layout)
    python = run.control_node.python
    service_manager: ServiceManager = Systemd(name, session)
    if layout.process_dir is not None:
        service_manager = Supervisord(name, session, layout, rendering.supervisor(), python)
    return HostContext(
        name=name,
        session=session,
        layout=layout,
        rendering=rendering,
        service_manager=service_manager,
        record=replace(record, drivers=merged(record.drivers, seen)),
        python=observation.facts.python_path,
        host=run.site.hosts.get(name),
        secrets=secrets,
    )
