"""Who applied last, for the first line of a screen."""

from xgen_deploy.limits import RECORD
from xgen_deploy.probe.facts import HostFacts
from xgen_deploy.probe.remote.bounded_json import read_json


def last_apply_line(facts: list[HostFacts], now: float) -> str | None:
    """`last apply #41 kim@ops 6 d ago`; None where no host remembers one."""
    newest: tuple[int, str, float, str | None] | None = None
    for one in facts:
        try:
            last = read_json(one.record or "", RECORD)["last_apply"]
            began = float(last["began"])
            found = (int(last["number"]), str(last["by"]), began, last.get("outcome"))
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError):
            continue
        if newest is None or found[0] > newest[0]:
            newest = found
    if newest is None:
        return None
    number, by, began, outcome = newest
    ended = "" if outcome == "ok" else f": {(outcome or 'never ended').upper()}"
    return f"last apply #{number} {by} {ago(now - began)} ago{ended}"


def ago(seconds: float) -> str:
    """One unit is enough: `40 s`, `3 min`, `5 h`, `6 d`."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return f"{max(0, int(seconds))} s"
