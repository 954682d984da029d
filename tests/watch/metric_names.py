"""Names of metrics: those that an expression uses, and those that are there."""

import re
from pathlib import Path

from xgen_deploy.watch.metrics import OWN
from xgen_deploy.watch.relayed import RELAYED, series_names

RECORDED = Path(__file__).parent / "recorded"
# Prometheus' own, about what it asks and fires.
_PROMETHEUS = {"up", "ALERTS"}
_STRING = re.compile(r'"[^"]*"')
_BY = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)")
_BRACED = re.compile(r"\{[^}]*\}|\[[^]]*\]|\boffset \w+")
_NAME = re.compile(r"[a-zA-Z_:][\w:]*(?!\w*\s*\()")
_WORDS = {"or", "and", "unless", "bool", "offset", "by", "on", "group_left", "group_right", "inf"}


def used(expr: str) -> set[str]:
    """The metrics that an expression reads, but for those that rules record."""
    bare = _BRACED.sub("", _BY.sub("", _STRING.sub('""', expr)))
    names = set(_NAME.findall(bare)) - _WORDS - _PROMETHEUS
    return {name for name in names if not re.match(r"xgen:|\d", name)}


def exported() -> set[str]:
    """What the exporter of a host may tell."""
    return {name for metric in (*OWN, *RELAYED) for name in series_names(metric)}


def recorded() -> set[str]:
    return {
        line.split("{")[0].split(" ")[0]
        for file in RECORDED.glob("*.txt")
        for line in file.read_text().splitlines()
        if line and not line.startswith("#")
    }
