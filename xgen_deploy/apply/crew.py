"""The sessions of one apply: opened and locked in sorted order, closed together."""

import json
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from types import TracebackType
from typing import Self

from xgen_deploy.apply.events import Event, Listener
from xgen_deploy.apply.place import HostAtWork
from xgen_deploy.apply.service import Supervision
from xgen_deploy.apply.supervisord import Supervisord
from xgen_deploy.apply.systemd import Systemd
from xgen_deploy.errors import LockedError, XgenError
from xgen_deploy.layout import Layout
from xgen_deploy.look import Workplace
from xgen_deploy.manifest.placement import Site
from xgen_deploy.probe.facts import HostFacts
from xgen_deploy.probe.remote.files import LEARNED
from xgen_deploy.record import read_record
from xgen_deploy.render.templates import Templates
from xgen_deploy.template_files import read_templates
from xgen_deploy.transport.base import Connection, Session
from xgen_deploy.transport.fleet import each


class Crew:
    """Over the hosts that are to be changed."""

    def __init__(self, site: Site, workplace: Workplace) -> None:
        self._site = site
        self._workplace = workplace
        self._sessions: dict[str, Session] = {}
        self._stack = ExitStack()

    def lock(
        self,
        connections: Sequence[Connection],
        owner: Mapping[str, str],
        *,
        wait: float = 0.0,
        tell: Listener | None = None,
    ) -> dict[str, XgenError]:
        """In sorted order, so that two applies never wait for each other; the sessions are opened
        all at once before. Hosts that were lost on the way are returned with the reason.

        Raises LockedError with the owner's line; where it is to `wait`, `tell` hears that first.
        """
        opened = each(connections, self._open)
        lost = {n: s for n, s in opened.items() if isinstance(s, XgenError)}
        for name in sorted(opened.keys() - lost.keys()):
            try:
                self._lock(name, owner, wait, tell)
            except LockedError:
                raise
            except XgenError as error:
                lost[name] = error
        return lost

    def _lock(
        self, host: str, owner: Mapping[str, str], wait: float, tell: Listener | None
    ) -> None:
        layout = self._workplace.layout(self._site, self._site.hosts[host])
        try:
            self._sessions[host].lock(layout.lock, owner)
        except LockedError as error:
            if not wait:
                raise
            say = tell or (lambda _: None)
            held = str(error).removeprefix(f"{host}: ")
            say(Event(kind="progress", host=host, text=f"waiting up to {wait:g} s: {held}"))
            self._sessions[host].lock(layout.lock, owner, wait=wait)
            say(Event(kind="done", host=host, text="the lock is free"))

    def _open(self, connection: Connection) -> Session:
        session = self._stack.enter_context(connection.session())
        self._sessions[connection.name] = session
        layout = self._workplace.layout(self._site, self._site.hosts[connection.name])
        session.make_dir(layout.state_dir, mode=0o700)
        return session

    def session(self, host: str) -> Session:
        return self._sessions[host]

    def keep_answers(self, host: str, facts: HostFacts) -> None:
        """What builds said of themselves and models of what they are, so that the next look does
        not ask again. A host that cannot keep them is asked again.
        """
        layout = self._workplace.layout(self._site, self._site.hosts[host])
        with suppress(XgenError):
            for path, value in learned(facts, layout).items():
                self._sessions[host].write_file(path, json.dumps(value).encode(), mode=0o600)

    def at_work(self, host: str, facts: HostFacts) -> HostAtWork:
        """Everything that changing a host needs. Raises XgenError for a record it cannot use."""
        layout = self._workplace.layout(self._site, self._site.hosts[host])
        templates = Templates(read_templates())
        rendering = self._workplace.rendering(self._site, self._site.hosts[host], templates)
        session = self._sessions[host]
        supervision: Supervision
        if layout.process_dir is None:
            supervision = Systemd(host, session)
        else:
            supervision = Supervisord(
                host, session, layout, rendering.supervisor(), self._workplace.python
            )
        return HostAtWork(
            name=host,
            session=session,
            layout=layout,
            rendering=rendering,
            supervision=supervision,
            record=read_record(facts.record, self._site.project, host),
        )

    def close(self) -> None:
        self._stack.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def learned(facts: HostFacts, layout: Layout) -> dict[str, object]:
    """What was asked anew and is worth keeping, by the path it is kept at."""
    kept: dict[str, object] = {}
    builds = [e for e in facts.engines if e.state and e.flags]
    if not all(e.cached for e in builds):
        said = {e.state: {"flags": e.flags, "markers": e.markers} for e in builds}
        kept[layout.engines] = {"format": LEARNED, "engines": said}
    whole = [m for m in facts.models if m.state and m.gguf and not m.error]
    if not all(m.cached for m in whole):
        read = {m.state: m.gguf.model_dump() for m in whole if m.gguf}
        kept[layout.models] = {"format": LEARNED, "models": read}
    return kept


def owner_of_lock(by: str, pid: int, doing: str) -> dict[str, str]:
    """What a second operator is told."""
    since = time.strftime("%Y-%m-%d %H:%M:%S %z")
    return {"by": by, "pid": str(pid), "since": since, "doing": doing}
