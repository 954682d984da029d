"""What an engine says of its own loading, in a few words. Pure."""

import re
from collections.abc import Sequence

from xgen_deploy.log_lines import short_lines

# A pattern over one line, without a quantifier that has no limit, and a clause with its groups.
Stage = tuple[re.Pattern[str], str]


def stage_of(log: str, stages: Sequence[Stage]) -> str | None:
    """The newest; None where nothing of it is in the log. A bar that is drawn over itself is one
    line with all its states."""
    pieces = (piece for line in log.splitlines() for piece in line.split("\r"))
    for piece in reversed(list(short_lines("\n".join(pieces)))):
        for pattern, clause in stages:
            match = pattern.search(piece)
            if match is not None:
                return clause.format(*match.groups())
    return None
