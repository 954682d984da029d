"""What an engine's `--help` tells."""

from __future__ import annotations

import re
from typing import NamedTuple

# Options come first in a line, then a gap and prose, which may name other options.
_GAP = re.compile(r"(?<![,\s])\s{2,}")
_OPTION = re.compile(r"(?:^|[\s,])(--?[A-Za-z][A-Za-z0-9_-]*)(?=[\s,=\[]|$)")
_REMOVED = "argument has been removed"
_CHOICE = re.compile(r"\[[\w+.-]+(?:\|[\w+.-]+)+\]|\{[\w+.-]+(?:,[\w+.-]+)+\}")


class Said(NamedTuple):
    flags: list[str]
    markers: list[str]


def read_help(text: str) -> Said:
    """The options, and the choices (`[on|off|auto]`, `{none,layer}`) that their values have.
    An option that is listed only to say that it was removed is none."""
    flags: set[str] = set()
    markers: set[str] = set()
    for line in text.splitlines():
        indent = len(line) - len(line.lstrip())
        if line.lstrip().startswith("-") and indent < 8 and _REMOVED not in line:
            options = _GAP.split(line.strip())[0]
            flags.update(_OPTION.findall(options))
            markers.update(_CHOICE.findall(options))
    return Said(sorted(flags), sorted(markers))
