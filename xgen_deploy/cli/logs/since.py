"""`--since`: a moment as people write one."""

import re
from datetime import UTC, datetime, timedelta

from xgen_deploy.errors import UsageError

_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def begin_of(since: str | None, now: datetime) -> datetime | None:
    """`2026-11-01`, `2026-11-01T14:30`, both UTC unless stated; `30m`, `12h`, `7d`, `4w` ago.
    Raises UsageError."""
    if since is None:
        return None
    match = re.fullmatch(r"(\d{1,5})([mhdw])", since)
    if match:
        return now - timedelta(**{_UNITS[match[2]]: int(match[1])})
    try:
        stated = datetime.fromisoformat(since)
    except ValueError:
        raise UsageError(
            f"--since {since}: expected a date such as 2026-11-01, or 30m, 12h, 7d, 4w"
        ) from None
    begin = stated if stated.tzinfo else stated.replace(tzinfo=UTC)
    if begin > now:
        raise UsageError(
            f"--since {since}: that is still to come; without a zone it is UTC, where it is "
            f"{now.astimezone(UTC):%Y-%m-%dT%H:%M} now; state the zone, such as "
            f"{stated:%Y-%m-%dT%H:%M}+09:00"
        )
    return begin
