"""What an engine gave as the reason for its end, picked from its log."""

import re

# The exception that began it; Python's own lines come with or without the logger's head.
_EXCEPTION = re.compile(r"^(?:.*\] )?(?:[\w.]+\.)?(\w+(?:Error|Exception): .+)$")
# llama-server's `0.00.018.416 E srv start: …` and `error: …`; vLLM's `ERROR 11-21 …`.
_MARKED = re.compile(r"^[\d.]+ E (.+)$|^(?:.*\s)?error: (.+)$|^(?:.*\s)?ERROR (\d.+)$")


def complaint(lines: tuple[str, ...]) -> str | None:
    """The first exception that is told; else the first line that is marked as an error."""
    for pattern in (_EXCEPTION, _MARKED):
        for line in lines:
            found = pattern.search(line)
            if found is not None:
                return next(g for g in found.groups() if g).strip()
    return None
