"""What heads a screen: the newest apply, and each host in a few words."""

from collections import Counter
from collections.abc import Collection, Mapping

from xgen_deploy.state.facts import HostFacts
from xgen_deploy.state.lock import LockStatus
from xgen_deploy.state.observation import Observed, locks_of, records_of

_NAMED = 3


def host_headline(facts: HostFacts) -> str:
    """`2x NVIDIA H100 80GB`, `gfx1151, VRAM 96 GiB`, `no GPU, 8 cores`."""
    gpus = facts.gpu.gpus
    if not gpus:
        cores = f"{facts.cores} core{'s'[: facts.cores != 1]}"
        return f"no GPU, {cores}, {gib(facts.memory_total_mb)} memory"
    names = Counter(
        (g.device_name or g.gfx_version or str(g.gpu_type), g.memory_total_mb) for g in gpus
    )
    parts = [
        (f"{count}x " if count > 1 else "") + name + (f" {gib(memory)}" if memory else "")
        for (name, memory), count in names.items()
    ]
    return ", ".join(parts)


def gib(mebibytes: int | None) -> str:
    """`79.6 GiB`; `n/m` where it could not be measured."""
    return "n/m" if mebibytes is None else f"{mebibytes / 1024:.1f} GiB"


def last_apply_line(observed: Observed, now: float) -> str:
    """`last apply #41 kim@ops 6 d ago`, or that it is under way. A host whose record is unknown may
    have a later one.
    """
    records = records_of(observed)
    unknown = [name for name in observed if name not in records]
    applies = {h: r.last_apply for h, r in records.items() if r.last_apply is not None}
    newest = max(applies.values(), key=lambda a: (a.number, a.outcome is None), default=None)
    if newest is None and unknown:
        return f"last apply unknown (not seen: {named(unknown)})"
    if newest is None:
        return "never applied"
    name, since = f"#{newest.number} {newest.by}", ago(now - newest.began)
    if newest.outcome is None:
        hosts = [h for h, a in applies.items() if a.number == newest.number and a.outcome is None]
        line = f"{newest.what} {name} {unended_clause(hosts, locks_of(observed), since)}"
    else:
        ended = "" if newest.outcome == "ok" else f": {newest.outcome.upper()}"
        line = f"last apply {name} {since} ago{ended}"
    return f"{line} (not seen: {named(unknown)})" if unknown else line


def unended_clause(hosts: Collection[str], locks: Mapping[str, LockStatus], since: str) -> str:
    """How it is with an apply that has not ended on `hosts`: who is at work, or that nobody is."""
    at_work = {h: locks[h] for h in hosts if h in locks and locks[h].at_work}
    if at_work:
        operations = [f"{h}: {lock.operation}" for h, lock in at_work.items() if lock.operation]
        where = f" ({', '.join(operations)})" if operations else f" on {named(at_work)}"
        return f"under way for {since}{where}"
    putting_back = [h for h in hosts if h in locks and locks[h].putting_back]
    if putting_back:
        return f"interrupted: {named(putting_back)} puts back what worked before"
    return f"{since} ago: NEVER ENDED, and nobody is at it any more"


def named(names: Collection[str]) -> str:
    """`a, b, c and 4 more`."""
    shown, more = list(names)[:_NAMED], len(names) - _NAMED
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")


def ago(seconds: float) -> str:
    """In one unit: `40 s`, `3 min`, `5 h`, `6 d`."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return f"{max(0, int(seconds))} s"


def duration(seconds: float) -> str:
    """Of an estimate: `80 s`, `6 min`."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{round(seconds / 60)} min"
