"""Doing something small on hosts under their locks: `stop`, `start`, `restart`."""

import os
from collections.abc import Callable

from rich.markup import escape

from xgen_deploy.apply.arrive import arrive
from xgen_deploy.apply.crew import Crew, owner_of_lock
from xgen_deploy.apply.place import HostAtWork
from xgen_deploy.cli.auditing import Auditing
from xgen_deploy.cli.job import Job
from xgen_deploy.cli.screen import Screen
from xgen_deploy.cli.take import by
from xgen_deploy.errors import UsageError, XgenError
from xgen_deploy.transport.base import Connection
from xgen_deploy.transport.fleet import each

Act = Callable[[HostAtWork, str], str]


def chosen_instances(work: Job, names: tuple[str, ...]) -> dict[str, list[str]]:
    """By host: those of these names, or all where none is named. Raises UsageError for a name
    that no host of the manifest has.
    """
    wanted: dict[str, list[str]] = {}
    for one in work.site.declared:
        if not names or one.name in names:
            wanted.setdefault(one.host, []).append(one.name)
    unknown = set(names) - {n for mine in wanted.values() for n in mine}
    if unknown:
        known = ", ".join(sorted({d.name for d in work.site.declared}))
        raise UsageError(f"there is no instance {', '.join(sorted(unknown))}; there are {known}")
    return wanted


def on_instances(
    work: Job, wanted: dict[str, list[str]], doing: str, act: Act, screen: Screen
) -> int:
    """`act` on each instance, by host; shows a line each."""
    auditing = Auditing(work, doing)
    trail = auditing.trail()
    seen = work.observe(among=frozenset(wanted))
    lost = {n: s.error for n, s in seen.items() if s.facts is None}
    chosen = [c for n, c in work.connections.items() if n in wanted and n not in lost]
    with Crew(work.site, work.workplace) as crew:
        lost |= crew.lock(chosen, owner_of_lock(by(), os.getpid(), doing))
        chosen = [c for c in chosen if c.name not in lost]
        again = work.observe(among=frozenset(c.name for c in chosen))

        def one(connection: Connection) -> list[str]:
            facts = again[connection.name].facts
            if facts is None:
                raise again[connection.name].error or XgenError(f"{connection.name}: lost")
            name = connection.name
            place = arrive(work.site, work.workplace, name, crew.session(name), facts)
            auditing.follow(trail, {name: place})
            return [_audited(place, name, doing, act) for name in wanted[connection.name]]

        found = each(chosen, one)
    trail.close()
    errors = {n: str(e or f"{n}: unreachable") for n, e in lost.items()}
    errors |= {n: str(r) for n, r in found.items() if isinstance(r, XgenError)}
    done = {n: r for n, r in found.items() if not isinstance(r, XgenError)}
    screen.lines(escape(line) for lines in done.values() for line in lines)
    screen.lines((f"[red]{escape(e)}[/red]" for e in errors.values()), always=True)
    hosts = {n: {"done": done.get(n, []), "error": errors.get(n)} for n in (*done, *errors)}
    screen.value({"hosts": hosts})
    if errors.keys() - lost.keys():
        return 1
    return 4 if lost else 0


def _audited(place: HostAtWork, name: str, doing: str, act: Act) -> str:
    outcome, reason = "failed", "it was broken off"
    try:
        said = act(place, name)
        outcome, reason = "ok", ""
    except XgenError as error:
        reason = str(error)
        raise
    finally:
        if place.audit is not None:
            place.audit.tell(outcome, instance=name, action=doing, reason=reason)
    return said
