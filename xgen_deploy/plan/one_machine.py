"""One machine under two names of the inventory: they would have one record and one lock, and each
would remove the other's instances. Pure.
"""

from collections.abc import Collection, Iterable, Mapping

from xgen_deploy.frozen import replace
from xgen_deploy.state.facts import HostFacts
from xgen_deploy.state.instance import Refusal
from xgen_deploy.state.observation import Observed, facts_of, records_of
from xgen_deploy.state.plan import HostPlan
from xgen_deploy.state.site import Site

_SHOWN = 5


def one_name_each(
    plans: Mapping[str, HostPlan], site: Site, observed: Observed
) -> dict[str, HostPlan]:
    """The plans, with a refusal for each further name of a machine. In a fleet file two names may
    well have the facts of one recorded host.
    """
    if site.fleet is not None:
        return dict(plans)
    facts = facts_of(observed)
    others = same_machines(facts, plans)
    refusals = {name: _same(name, names) for name, names in others.items()}
    for name, record in records_of(observed).items():
        known_as = record.host
        if known_as is None or name not in plans or name in refusals:
            continue
        if known_as in {*site.hosts, *site.other_hosts} - {name, *_told_apart(name, facts)}:
            refusals[name] = _applied_as(name, known_as)
    return refused(plans, refusals)


def one_name_each_changed(plans: Mapping[str, HostPlan], observed: Observed) -> dict[str, HostPlan]:
    """The same where what was applied is stopped or started: under one name that does no harm."""
    changed = [name for name, plan in plans.items() if plan.operations]
    others = same_machines(facts_of(observed), changed)
    return refused(plans, {name: _same(name, names) for name, names in others.items()})


def same_machines(
    facts: Mapping[str, HostFacts], among: Collection[str]
) -> dict[str, tuple[str, ...]]:
    """By name the other names of the same machine: the same ID, boot and host name. Containers
    that were cloned on one machine share all but the last.
    """
    known = {n: (f.machine_id, f.boot_id, f.hostname) for n, f in facts.items() if n in among}
    known = {n: ids for n, ids in known.items() if None not in ids}
    others = {n: tuple(o for o in known if o != n and known[o] == known[n]) for n in known}
    return {name: names for name, names in others.items() if names}


def clones_warning(site: Site, observed: Observed) -> tuple[str, ...]:
    """A line for each machine ID that several machines have."""
    if site.fleet is not None:
        return ()
    by_id: dict[str, dict[tuple[str | None, str], str]] = {}
    for name, facts in facts_of(observed).items():
        if facts.machine_id is not None and facts.boot_id is not None:
            by_id.setdefault(facts.machine_id, {})[facts.boot_id, facts.hostname] = name
    return tuple(
        f"{_listed(machines.values())} have one machine ID: clones, which DHCP and journald take "
        "for one machine. On all but one: `rm /etc/machine-id; systemd-machine-id-setup`, and "
        "reboot it"
        for machines in by_id.values()
        if len(machines) > 1
    )


def refused(plans: Mapping[str, HostPlan], refusals: Mapping[str, Refusal]) -> dict[str, HostPlan]:
    return {
        name: replace(plan, refusals=(*plan.refusals, refusals[name])) if name in refusals else plan
        for name, plan in plans.items()
    }


def _told_apart(name: str, facts: Mapping[str, HostFacts]) -> frozenset[str]:
    """The hosts that were seen to be other machines than `name`."""
    same = same_machines(facts, facts).get(name, ())
    return frozenset(n for n, f in facts.items() if f.machine_id is not None and n not in same)


def _same(name: str, others: tuple[str, ...]) -> Refusal:
    return Refusal(
        host=name,
        reason=f"it is the same machine as {_listed(others)}: one machine ID, one boot. Each name "
        "would remove the instances of the other",
        hint="Keep one of the names in the manifest and the inventory, with all instances under "
        "it.",
    )


def _applied_as(name: str, known_as: str) -> Refusal:
    return Refusal(
        host=name,
        reason=f"this project was last applied to it as {known_as}, which is still in the "
        "manifest: of two names of one machine each would remove the instances of the other",
        hint=f"If that is one machine, keep one of the names. If {known_as} is another one now, "
        "run this once over both, without `--limit`.",
    )


def _listed(names: Iterable[str]) -> str:
    known = list(names)
    more = f" and {len(known) - _SHOWN} more" if len(known) > _SHOWN else ""
    return ", ".join(known[:_SHOWN]) + more
