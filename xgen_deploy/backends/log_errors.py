"""What an engine gave as the reason for its end, picked from its log."""

import re
from collections.abc import Sequence

from xgen_deploy.log_lines import LONGEST, cut

# Characters that are shown of one line.
_MOST = 1000
# The exception that began it; Python's own lines come with or without the logger's head.
_EXCEPTION = re.compile(r"^(?:.{0,300}\] )?(?:\w{1,60}\.){0,10}(\w{0,100}(?:Error|Exception): .+)$")
# llama-server's `0.00.018.416 E srv start: …` and `error: …`; vLLM's `ERROR 11-21 …`; the loader's
# and a shell's own words.
_MARKED = re.compile(
    r"^[\d.]{1,40} E (.+)$|^(error while handling argument .+)$|^(?:.*\s)?error: (.+)$"
    r"|^(?:.*\s)?ERROR (\d.+)$"
    r"|^.*: (error while loading shared libraries: .+)$"
    r"|^(docker: Error response from daemon: .+)$"
    r"|^(\S{1,300}: (?:line )?\d{1,9}: .+: "
    r"(?:(?:command )?not found|Exec format error|Permission denied))$"
)
# Docker's answer to the removal of a container that is not there, before each start.
_NOISE = re.compile(r"^Error(?: response from daemon)?: No such container: xgen-")


def complaint(lines: Sequence[str]) -> str | None:
    """The first exception that is told; else the first line that is marked as an error."""
    for pattern in (_EXCEPTION, _MARKED):
        for line in lines:
            found = pattern.search(line[:LONGEST])
            if found is not None:
                return cut(next(g for g in found.groups() if g).strip(), _MOST)
    return None


def telling(lines: Sequence[str], most: int) -> tuple[str, ...]:
    """At most so many lines for a report: the last of those marked as errors, else the last."""
    own = _own(lines)
    wrong = [line for line in own if _is_marked(line)]
    return tuple(cut(line, _MOST) for line in (wrong or own)[-most:])


def marked_errors(lines: Sequence[str], most: int) -> tuple[str, ...]:
    """The last lines that are marked as errors, and no other."""
    return tuple(cut(line, _MOST) for line in _own(lines) if _is_marked(line))[-most:]


def _own(lines: Sequence[str]) -> list[str]:
    """The engine's, each cut short."""
    short = (line[:LONGEST] for line in lines)
    return [line for line in short if line.strip() and not _NOISE.match(line)]


def _is_marked(line: str) -> bool:
    return _EXCEPTION.search(line) is not None or _MARKED.search(line) is not None
