"""What an engine's `--help` tells."""

from __future__ import annotations

import re
from typing import NamedTuple

# Options come first in a line, then a gap and prose, which may name other options.
_GAP = re.compile(r"(?<![,\s])\s{2,}")
_OPTION = re.compile(r"(?:^|[\s,])(--?[A-Za-z][A-Za-z0-9_-]*)(?=[\s,=\[]|$)")
_REMOVED = "argument has been removed"
# `none,draft-simple,…` and `FNAME:SCALE,...`: what a value is made of.
_FORM = re.compile(r"(?<=\s)[\w.+-]+(?:[,:][\w.+-]+)+(?=\s|$)")
_CHOICE = re.compile(r"\[[\w+.-]+(?:\|[\w+.-]+)+\]|\{[\w+.-]+(?:,[\w+.-]+)+\}")


# What is read of a `--help`: 1 has no forms of values. An answer that was recorded says which.
READING = 2


class Said(NamedTuple):
    flags: list[str]
    markers: list[str]


def read_help(text: str) -> Said:
    """The options, and the choices (`[on|off|auto]`, `{none,layer}`) and forms
    (`none,draft-simple`, `FNAME:SCALE,...`) that their values have.
    An option that is listed only to say that it was removed is none."""
    flags: set[str] = set()
    markers: set[str] = set()
    for line in text.splitlines():
        indent = len(line) - len(line.lstrip())
        if line.lstrip().startswith("-") and indent < 8 and _REMOVED not in line:
            options = _GAP.split(line.strip())[0]
            flags.update(_OPTION.findall(options))
            markers.update(_CHOICE.findall(options))
            markers.update(_FORM.findall(options))
    return Said(sorted(flags), sorted(markers))
