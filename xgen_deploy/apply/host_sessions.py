"""The sessions of one apply: opened and locked in sorted order, closed together."""

import json
import os
import socket
import time
from collections.abc import Container, Iterable, Mapping, Sequence
from contextlib import ExitStack, suppress
from types import TracebackType
from typing import Self

from xgen_deploy.apply.events import Event, Listener
from xgen_deploy.apply.probe_cache import learned
from xgen_deploy.audit import actor
from xgen_deploy.errors import LockedError, XgenError
from xgen_deploy.state.facts import HostFacts
from xgen_deploy.state.layout import Layout
from xgen_deploy.transport.base import Connection, Session
from xgen_deploy.transport.fleet import each

_ASK = 30.0


class LockedHosts:
    """Over the hosts that are to be changed."""

    def __init__(self, layouts: Mapping[str, Layout]) -> None:
        """`layouts` of all hosts of the site."""
        self._layouts = layouts
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
        for name in lost.keys() & self._sessions.keys():
            self._sessions.pop(name).close()
        return lost

    def _lock(
        self, host: str, owner: Mapping[str, str], wait: float, tell: Listener | None
    ) -> None:
        layout = self._layouts[host]
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
        layout = self._layouts[connection.name]
        session.make_dir(layout.state_dir, mode=0o700)
        return session

    @property
    def hosts(self) -> frozenset[str]:
        """Those that are locked."""
        return frozenset(self._sessions)

    def session(self, host: str) -> Session:
        return self._sessions[host]

    def keep_answers(self, host: str, facts: HostFacts) -> None:
        """What builds said of themselves and models of what they are, so that the next look does
        not ask again. A host that cannot keep them is asked again.
        """
        layout = self._layouts[host]
        with suppress(XgenError):
            for path, value in learned(facts, layout).items():
                self._sessions[host].write_file(path, json.dumps(value).encode(), mode=0o600)

    def release(self, hosts: Iterable[str], *, untouched: Container[str] = ()) -> None:
        """Frees hosts that nothing is done on; from `untouched` ones, which never had an apply,
        the lock's own folder goes too."""
        for host in hosts:
            session = self._sessions.pop(host)
            with suppress(XgenError):
                if host in untouched:
                    layout = self._layouts[host]
                    session.remove(layout.lock_queue, within=layout.state_dir)
                    session.remove(layout.lock, within=layout.state_dir)
                    for folder in (layout.state_dir, layout.state_dir.rsplit("/", 1)[0]):
                        empty = ["rmdir", "--ignore-fail-on-non-empty", folder]
                        session.run(empty, timeout=_ASK)
            session.close()

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


def lock_owner(doing: str) -> dict[str, str]:
    """What the lock's file says about its owner, for other operators."""
    since = time.strftime("%Y-%m-%d %H:%M:%S %z")
    return {"by": login(), "pid": str(os.getpid()), "since": since, "doing": doing}


def login() -> str:
    """Who runs this command, for locks and records."""
    return f"{actor.login()}@{socket.gethostname()}"
