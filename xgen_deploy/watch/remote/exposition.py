"""Reads a page of metrics of an engine or the gateway: only what is on a list, in bounds."""

from __future__ import annotations

import io
import math
import re
from typing import Iterator, Mapping, NamedTuple, Sequence

from xgen_deploy.watch.metrics import Metric
from xgen_deploy.watch.relayed import series_names
from xgen_deploy.watch.remote.samples import BUCKET, Labels, Sample

LONGEST_LINE = 4096
LONGEST_NUMBER = 40
_NAME = re.compile(r"[A-Za-z_:][A-Za-z0-9_:]*")
_LABEL = re.compile(r'[ \t]*([A-Za-z_][A-Za-z0-9_]*)="((?:[^"\\]|\\.)*)"[ \t]*,?[ \t]*')
_ESCAPE = re.compile(r"\\(.)")


class Bounds(NamedTuple):
    """What a page may be: in bytes, lines, and series that are passed on."""

    size: int
    lines: int
    series: int


ENGINE = Bounds(4 << 20, 20_000, 5_000)
GATEWAY = Bounds(16 << 20, 100_000, 20_000)


def read_page(
    page: bytes, metrics: Sequence[Metric], added: Mapping[str, str], bounds: Bounds = ENGINE
) -> list[Sample]:
    """The samples of `metrics`, with the labels `added`: they are ours, whatever the page says.
    Raises ValueError where the page is beyond its bounds. A line that makes no sense is left out.
    """
    if len(page) > bounds.size:
        raise ValueError(f"its page is longer than {bounds.size >> 20} MiB")
    by_name = {name: metric for metric in metrics for name in series_names(metric)}
    samples = []
    for line in _lines(page, bounds.lines):
        name = _NAME.match(line)
        metric = by_name.get(name[0]) if name else None
        read = _sample(line, name[0], metric, added) if name and metric else None
        if read is not None:
            samples.append(read)
            if len(samples) > bounds.series:
                raise ValueError(f"its page has more than {bounds.series} series")
    return samples


def _lines(page: bytes, most: int) -> Iterator[str]:
    """Decoded one by one: as text a whole page takes four times its memory and more."""
    for number, line in enumerate(io.BytesIO(page)):
        if number >= most:
            raise ValueError(f"its page has more than {most} lines")
        if len(line) <= LONGEST_LINE and not line.startswith(b"#"):
            yield line.decode("utf-8", "replace")


def _sample(line: str, name: str, metric: Metric, added: Mapping[str, str]) -> Sample | None:
    labels, rest = _labels(line, len(name))
    value = _value(rest.split())
    if value is None:
        return None
    wanted = (*metric.labels, BUCKET) if name.endswith("_bucket") else metric.labels
    texts = {**labels, **added}
    kept: Labels = tuple((label, texts[label]) for label in wanted if label in texts)
    return Sample(name, kept, value)


def _labels(line: str, place: int) -> tuple[dict[str, str], str]:
    """What stands in braces at that place, and what comes after; that has no value where they do
    not close."""
    labels: dict[str, str] = {}
    if line[place : place + 1] != "{":
        return labels, line[place:]
    place += 1
    label = _LABEL.match(line, place)
    while label:
        labels[label[1]] = _ESCAPE.sub(_plain, label[2])
        place = label.end()
        label = _LABEL.match(line, place)
    return labels, line[place + 1 :] if line[place : place + 1] == "}" else ""


def _plain(escape: re.Match[str]) -> str:
    return "\n" if escape[1] == "n" else escape[1]


def _value(words: Sequence[str]) -> float | None:
    """A time may follow it."""
    if not words or len(words[0]) > LONGEST_NUMBER:
        return None
    try:
        value = float(words[0])
    except ValueError:
        return None
    return value if math.isfinite(value) else None
