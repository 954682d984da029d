"""Doing something small on hosts under their locks: `stop`, `start`, `restart`."""

import os
from collections.abc import Callable

from xgen_deploy.apply.crew import Crew, owner_of_lock
from xgen_deploy.apply.place import HostAtWork
from xgen_deploy.cli.applying import by
from xgen_deploy.cli.job import Job
from xgen_deploy.errors import UsageError, XgenError
from xgen_deploy.transport.base import Connection
from xgen_deploy.transport.fleet import each

Act = Callable[[HostAtWork, str], str]


def on_instances(work: Job, names: tuple[str, ...], doing: str, act: Act) -> int:
    """`act` on each named instance of every host that has it (all of them where none is named);
    prints a line each. Raises UsageError for a name that no host knows.
    """
    seen = work.observe()
    wanted: dict[str, list[str]] = {}
    for host in seen:
        mine = [d.name for d in work.site.on(host) if not names or d.name in names]
        if mine:
            wanted[host] = mine
    unknown = set(names) - {n for mine in wanted.values() for n in mine}
    if unknown:
        known = ", ".join(sorted({d.name for d in work.site.declared}))
        raise UsageError(f"there is no instance {', '.join(sorted(unknown))}; there are {known}")
    lost = {n: s.error for n, s in seen.items() if s.facts is None and n in wanted}
    chosen = [c for n, c in work.connections.items() if n in wanted and n not in lost]
    with Crew(work.site, work.workplace) as crew:
        lost |= crew.lock(chosen, owner_of_lock(by(), os.getpid(), doing))
        chosen = [c for c in chosen if c.name not in lost]
        again = work.observe(among=frozenset(c.name for c in chosen))

        def one(connection: Connection) -> list[str]:
            facts = again[connection.name].facts
            if facts is None:
                raise again[connection.name].error or XgenError(f"{connection.name}: lost")
            place = crew.at_work(connection.name, facts)
            return [act(place, name) for name in wanted[connection.name]]

        found = each(chosen, one)
    for name, error in lost.items():
        print(error or f"{name}: unreachable")
    for result in found.values():
        print(result if isinstance(result, XgenError) else "\n".join(result))
    if any(isinstance(r, XgenError) for r in found.values()):
        return 1
    return 4 if lost else 0
