"""Docker's time stamps."""

from __future__ import annotations

import re

_STAMP = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(\.\d+)?(Z|[+-]\d\d:\d\d)")


def epoch(text: str | None) -> float | None:
    """Seconds since 1970 of `2026-11-21T03:31:02.123456789Z`; None for Docker's year 1."""
    match = _STAMP.match(text or "")
    if not match or match[1] == "0001":
        return None
    year, month, day, hour, minute, second = (int(match[n]) for n in range(1, 7))
    zone = match[8]
    offset = 0
    if zone != "Z":
        offset = (int(zone[1:3]) * 60 + int(zone[4:6])) * (60 if zone[0] == "+" else -60)
    seconds = ((_days(year, month, day) * 24 + hour) * 60 + minute) * 60 + second
    return round(seconds - offset + float(match[7] or 0), 3)


def _days(year: int, month: int, day: int) -> int:
    """Since 1970. Counted here: the library's calendar takes longer to load than all the rest."""
    year, month = (year - 1, month + 9) if month < 3 else (year, month - 3)  # from March on
    leaps = year // 4 - year // 100 + year // 400
    return 365 * year + leaps + (153 * month + 2) // 5 + day - 719469
