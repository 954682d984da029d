"""An earlier apply as a site: which one is meant, what ran then, and what of it may be again."""

from collections.abc import Iterator, Mapping

from xgen_deploy.apply.histories import Histories, no_such_apply, not_recorded, numbers_of
from xgen_deploy.backends.registry import engine_words
from xgen_deploy.errors import UsageError, XgenError
from xgen_deploy.frozen import replace
from xgen_deploy.manifest.restated import why_not_restated
from xgen_deploy.plan.history_excess import beyond
from xgen_deploy.resolve.gateway_needs import everywhere
from xgen_deploy.run.run import Run
from xgen_deploy.state.instance_config import InstanceConfig
from xgen_deploy.state.record import HistoryEntry
from xgen_deploy.state.settings import Update
from xgen_deploy.state.site import Site

Chosen = Mapping[str, HistoryEntry | None]


def earlier(histories: Histories, to: int | None) -> tuple[int, Chosen]:
    """The number of apply `to`, or of the one before the last, and what each host that was reached
    ran after it. Raises XgenError where there is no such one."""
    number = _before(histories) if to is None else to
    known = numbers_of(histories)
    if number not in known:
        raise no_such_apply(number, known, histories)
    reached = {h: e for h, e in histories.items() if not isinstance(e, XgenError)}
    return number, {host: _at(entries, number) for host, entries in reached.items()}


def _before(histories: Histories) -> int:
    """The newest successful apply before the last one. Raises XgenError."""
    entries = [e for es in histories.values() if not isinstance(es, XgenError) for e in es]
    applies = [e.apply for e in entries if not e.apply.is_maintenance]
    numbers = sorted({a.number for a in applies})
    good = {a.number for a in applies if a.outcome == "ok"}
    earlier = [n for n in numbers[:-1] if n in good]
    if not earlier:
        raise not_recorded("there is no earlier apply to go back to", histories)
    return earlier[-1]


def refuse_disagreement(histories: Mapping[str, tuple[HistoryEntry, ...]]) -> None:
    """Raises UsageError where only one host has the newest apply: then the operator must say
    whether it happened, and to which apply the other hosts should go back.
    """
    newest = {h: entries[-1].apply.number for h, entries in histories.items() if entries}
    last = max(newest.values(), default=0)
    with_last = [h for h, number in newest.items() if number == last]
    others = [number for number in newest.values() if number != last]
    if len(with_last) == 1 and others:
        raise UsageError(
            f"only {with_last[0]} has apply #{last}; the newest of the other hosts is "
            f"#{max(others)}. Choose one with --to N, or leave out -y to see the plan first; "
            "`xgen-deploy history` lists all"
        )


def _at(entries: tuple[HistoryEntry, ...], number: int) -> HistoryEntry | None:
    earlier = [e for e in entries if e.apply.number <= number]
    return earlier[-1] if earlier else None


def refuse_strange(chosen: Chosen, site: Site, *, trusted: bool) -> None:
    """A host's history is untrusted data. Raises XgenError for entries that no apply could have
    written, and, unless `trusted`, for those that go beyond the current manifest.
    """
    wrong = list(_wrong(chosen, site))
    if wrong:
        raise XgenError(
            "refused: the history of a host was edited; restore its file there, or go to another "
            "apply with --to:\n  " + "\n  ".join(wrong)
        )
    clauses = [
        f"{host}/{instance.name}: {clause}"
        for host, entry in chosen.items()
        for instance in (entry.declared if entry else ())
        for clause in beyond(instance, site)
    ]
    if clauses and not trusted:
        raise XgenError(
            "refused: the history asks for what the manifest does not have for these instances:"
            "\n  "
            + "\n  ".join(clauses)
            + "\nThis was read from the hosts. If you recognize it, add "
            "--trust-history. Nothing was looked up or changed."
        )


def _wrong(chosen: Chosen, site: Site) -> Iterator[str]:
    for host, entry in chosen.items():
        runtime = site.hosts[host].runtime or site.runtime
        names: set[str] = set()
        for instance in entry.declared if entry else ():
            number = entry.apply.number if entry else 0
            where = f"{host}, apply #{number}, {instance.name[:60]!r}"
            reason = why_not_restated(instance, host, engine_words())
            if reason is not None:
                yield f"{where}: {reason}"
            elif instance.name in names:
                yield f"{where}: it is listed twice"
            elif (instance.runtime == "process") != (runtime == "process"):
                yield f"{where}: its runtime is {instance.runtime}, but the host uses {runtime}"
            names.add(instance.name)


def as_then(run: Run, chosen: Chosen) -> Run:
    """The site with each host's instances as they were. How the change itself is carried out
    (batches, strategy, drain), and what has to be answered, is the manifest's, because it concerns
    all hosts. No history takes anything over. Sources are what they were locked to then.
    """
    by_instance = {(d.host, d.name): d for d in everywhere(run.site)}
    by_model = {d.model: d for d in everywhere(run.site)}

    def as_now(instance: InstanceConfig) -> InstanceConfig:
        of_model = by_model.get(instance.model)
        now = by_instance.get((instance.host, instance.name), of_model)
        accept = of_model.accept if of_model else None
        return replace(instance, update=now.update if now else Update(), accept=accept, adopt=None)

    earlier = (d for entry in chosen.values() if entry for d in entry.declared)
    declared = tuple(as_now(d) for d in earlier)
    unreachable = tuple(d for d in run.site.declared if d.host not in chosen)
    site = replace(run.site, declared=declared + unreachable, lock=None)
    return run.over(site)
