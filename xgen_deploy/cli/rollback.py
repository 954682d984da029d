"""`xgen-deploy rollback`: an earlier apply again, through the same proof."""

from collections.abc import Iterator, Mapping

import click

from xgen_deploy.apply.auditing import Auditing
from xgen_deploy.apply.options import ApplyOptions
from xgen_deploy.backends.registry import engine_words
from xgen_deploy.cli.applying import carry_out
from xgen_deploy.cli.history import entries_by_host
from xgen_deploy.cli.opening import open_run
from xgen_deploy.cli.options import Settings, host_options
from xgen_deploy.cli.screen import Screen
from xgen_deploy.errors import UsageError, XgenError
from xgen_deploy.frozen import replace
from xgen_deploy.manifest.restated import why_not_restated
from xgen_deploy.plan.beyond import beyond
from xgen_deploy.resolve.gateway_needs import everywhere
from xgen_deploy.run.run import Run
from xgen_deploy.state.instance_config import InstanceConfig
from xgen_deploy.state.record import HistoryEntry
from xgen_deploy.state.settings import Update
from xgen_deploy.state.site import Site

Chosen = Mapping[str, HistoryEntry | None]


@click.command("rollback")
@click.option("-y", "--yes", is_flag=True, help="Ask nothing. Needed without a terminal.")
@click.option("--to", type=int, metavar="N", help="The apply's number; else the one before.")
@click.option(
    "--trust-history",
    is_flag=True,
    help="Carry out what a host's history asks for beyond the present manifest: container "
    "options, mounts, programs, variables, secrets.",
)
@host_options
def command(settings: Settings, yes: bool, to: int | None, trust_history: bool) -> int:
    """Bring each host back to what ran there after apply N, with today's secrets.

    A host that took no part in N goes to its newest apply before it. The manifest is not
    changed: the next `apply` of it goes forward again. The history is read from the hosts: what
    it asks for beyond the present manifest is shown and refused without --trust-history.
    """
    with open_run(settings) as run:
        if run.site.limited_models:
            raise UsageError("rollback takes whole hosts; --limit HOST is understood")
        found = entries_by_host(run)
        reached = {h: e for h, e in found.items() if not isinstance(e, XgenError)}
        if to is None and yes:
            _agreed(reached)
        if to is not None and not any(e.apply.number == to for es in reached.values() for e in es):
            raise UsageError(
                f"no host remembers apply #{to}; `xgen-deploy history` lists what is there"
            )
        number = to if to is not None else _before(reached)
        chosen = {h: _at(entries, number) for h, entries in reached.items()}
        if not any(chosen.values()):
            raise UsageError(
                f"no host remembers apply #{number} or one before it; "
                "`xgen-deploy history` lists what is there"
            )
        options = ApplyOptions(
            yes=yes,
            what=f"rollback to #{number}",
            ask_first=True,
            trust_history=trust_history,
            accept_new_host_keys=settings.accept_new_host_keys,
        )
        try:
            _check(chosen, run.site, trusted=trust_history)
        except XgenError as error:
            Auditing(run, options.what, options.overrides).refused_on(reached, str(error))
            raise
        Screen(settings).lines([f"back to apply #{number}, with today's secrets"])
        return carry_out(_as_then(run, chosen), settings, options)


def _before(found: dict[str, tuple[HistoryEntry, ...]]) -> int:
    """The newest apply that ended well before the newest of all."""
    applies = [e.apply for entries in found.values() for e in entries if not e.apply.is_maintenance]
    numbers = sorted({a.number for a in applies})
    good = {a.number for a in applies if a.outcome == "ok"}
    earlier = [n for n in numbers[:-1] if n in good]
    if not earlier:
        raise UsageError("there is no earlier apply to go back to; `xgen-deploy history` tells")
    return earlier[-1]


def _agreed(found: dict[str, tuple[HistoryEntry, ...]]) -> None:
    """Raises UsageError where one host alone tells of the newest apply: then nobody but the
    operator knows whether it happened, and what the other hosts are to go back to.
    """
    newest = {h: entries[-1].apply.number for h, entries in found.items() if entries}
    last = max(newest.values(), default=0)
    told = [h for h, number in newest.items() if number == last]
    others = [number for number in newest.values() if number != last]
    if len(told) == 1 and others:
        raise UsageError(
            f"only {told[0]} tells of apply #{last}; the newest of the other hosts is "
            f"#{max(others)}. State where to go with --to N, or leave out -y to look at the plan "
            "first; `xgen-deploy history` lists what is there"
        )


def _at(entries: tuple[HistoryEntry, ...], number: int) -> HistoryEntry | None:
    fitting = [e for e in entries if e.apply.number <= number]
    return fitting[-1] if fitting else None


def _check(chosen: Chosen, site: Site, *, trusted: bool) -> None:
    """A host's history is data of that host. Raises XgenError for what it cannot say at all, and
    for what it may say only with the operator's word.
    """
    wrong = list(_wrong(chosen, site))
    if wrong:
        raise XgenError(
            "refused: the history of a host was edited; restore its file there, or go to another "
            "apply with --to:\n  " + "\n  ".join(wrong)
        )
    asked = [
        f"{host}/{one.name}: {clause}"
        for host, entry in chosen.items()
        for one in (entry.declared if entry else ())
        for clause in beyond(one, site)
    ]
    if asked and not trusted:
        raise XgenError(
            "refused: the history asks for what the manifest does not have for these instances:"
            "\n  " + "\n  ".join(asked) + "\nIt was read from the hosts. If it is as you remember "
            "it, give --trust-history; nothing was looked up or changed."
        )


def _wrong(chosen: Chosen, site: Site) -> Iterator[str]:
    for host, entry in chosen.items():
        runtime = site.hosts[host].runtime or site.runtime
        names: set[str] = set()
        for one in entry.declared if entry else ():
            where = f"{host}, apply #{entry.apply.number if entry else 0}, {one.name[:60]!r}"
            why = why_not_restated(one, host, engine_words())
            if why is not None:
                yield f"{where}: {why}"
            elif one.name in names:
                yield f"{where}: it is there twice"
            elif (one.runtime == "process") != (runtime == "process"):
                yield f"{where}: its runtime is {one.runtime}, and {runtime} is what is used there"
            names.add(one.name)


def _as_then(run: Run, chosen: Chosen) -> Run:
    """The site with each host's declarations as they were; where nothing ran, nothing. How the
    change itself goes (batches, strategy, drain) is the manifest's alone: it holds for all hosts.
    """
    own = {(d.host, d.name): d.update for d in everywhere(run.site)}
    updates = {d.model: d.update for d in everywhere(run.site)}

    def carried_out_as_now(then: InstanceConfig) -> InstanceConfig:
        update = own.get((then.host, then.name), updates.get(then.model, Update()))
        return replace(then, update=update)

    told = (d for entry in chosen.values() if entry for d in entry.declared)
    declared = tuple(carried_out_as_now(d) for d in told)
    lost = tuple(d for d in run.site.declared if d.host not in chosen)
    site = replace(run.site, declared=declared + lost)
    return Run(site, run.control_node, run.connections)
