"""Samples, and their text in Prometheus' format."""

from __future__ import annotations

import math
from typing import Iterable, NamedTuple, Tuple

from xgen_deploy.watch.metrics import OWN, Metric
from xgen_deploy.watch.relayed import RELAYED, series_names

LONGEST = 200
# By the name that a line begins with.
METRICS = {name: metric for metric in (*OWN, *RELAYED) for name in series_names(metric)}
# What carries a histogram's bucket, besides its metric's own labels.
BUCKET = "le"

Labels = Tuple[Tuple[str, str], ...]


class Sample(NamedTuple):
    """`labels` without those that every series has."""

    name: str
    labels: Labels
    value: float


def sample(name: str, value: float, **labels: str) -> Sample:
    """Of a metric of the table; its labels in the table's order, those left out are empty."""
    return Sample(name, tuple((n, labels.get(n, "")) for n in METRICS[name].labels), float(value))


def known(name: str, value: float | None, **labels: str) -> list[Sample]:
    """No sample where the value is unknown."""
    return [] if value is None else [sample(name, value, **labels)]


def page_text(samples: Iterable[Sample], common: Labels) -> str:
    """The page: each metric's series together, each series once."""
    by_metric: dict[str, list[Sample]] = {}
    seen: set[tuple[str, Labels]] = set()
    for each in samples:
        metric = METRICS.get(each.name)
        if metric is not None and (each.name, each.labels) not in seen:
            seen.add((each.name, each.labels))
            by_metric.setdefault(metric.name, []).append(each)
    lines: list[str] = []
    for series in by_metric.values():
        lines += _header(METRICS[series[0].name])
        lines += [_line(each, common) for each in series]
    return "".join(line + "\n" for line in lines)


def _header(metric: Metric) -> list[str]:
    return [f"# HELP {metric.name} {metric.help}", f"# TYPE {metric.name} {metric.kind}"]


def _line(each: Sample, common: Labels) -> str:
    labels = ",".join(f'{name}="{_escaped(value)}"' for name, value in (*common, *each.labels))
    return f"{each.name}{{{labels}}} {_number(each.value)}"


def _escaped(text: str) -> str:
    """What a host or an engine says stays within its quotes, and is no longer than LONGEST."""
    cut = text[:LONGEST].encode("utf-8", "replace").decode("utf-8")
    return cut.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    if math.isfinite(value) and value == int(value) and abs(value) < 1 << 53:
        return str(int(value))
    return repr(value)
