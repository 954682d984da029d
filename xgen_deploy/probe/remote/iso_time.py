"""Docker's time stamps."""

from __future__ import annotations

import re
from datetime import datetime, timezone

_STAMP = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(\.\d+)?(Z|[+-]\d\d:\d\d)")


def epoch(text: str | None) -> float | None:
    """Seconds since 1970 of `2026-11-21T03:31:02.123456789Z`; None for Docker's year 1."""
    found = _STAMP.match(text or "")
    if not found or found[1] == "0001":
        return None
    year, month, day, hour, minute, second = (int(found[n]) for n in range(1, 7))
    moment = datetime(year, month, day, hour, minute, second, tzinfo=timezone.utc)
    zone = found[8]
    offset = 0
    if zone != "Z":
        offset = (int(zone[1:3]) * 60 + int(zone[4:6])) * (60 if zone[0] == "+" else -60)
    return round(moment.timestamp() - offset + float(found[7] or 0), 3)
