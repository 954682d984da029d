"""The newest apply as a line, for the head of a screen."""

from collections.abc import Collection

from xgen_deploy.state.record import Record


def last_apply_line(records: Collection[Record], now: float) -> str:
    """`last apply #41 kim@ops 6 d ago`; `records` are of the observed hosts."""
    if not records:
        return "last apply unknown"
    applies = [r.last_apply for r in records if r.last_apply is not None]
    newest = max(applies, key=lambda a: a.number, default=None)
    if newest is None:
        return "never applied"
    outcome = newest.outcome or "never ended"
    ended = "" if outcome == "ok" else f": {outcome.upper()}"
    return f"last apply #{newest.number} {newest.by} {ago(now - newest.began)} ago{ended}"


def ago(seconds: float) -> str:
    """In one unit: `40 s`, `3 min`, `5 h`, `6 d`."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return f"{max(0, int(seconds))} s"
