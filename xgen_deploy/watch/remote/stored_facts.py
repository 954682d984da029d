"""The facts that root's collector wrote (facts.py), as the exporter reads them."""

from __future__ import annotations

import json
import math
import os
from typing import Any

from xgen_deploy.bounded_json import read_json
from xgen_deploy.probe.remote.reading import read_text
from xgen_deploy.watch.remote.samples import METRICS, Sample
from xgen_deploy.watch.remote.sources import Answer

FORMAT = 1
LONGEST = 8 << 20
MOST = 50_000
# Each timer's run, and the time that one may take.
INTERVAL = 90.0


def read_facts(path: str) -> Answer:
    text = read_text(path, LONGEST + 1)
    if text is None:
        return Answer([], "no facts were collected yet")
    try:
        document = read_json(text, LONGEST)
        if document["format"] != FORMAT:
            return Answer([], "the facts are of another version")
        samples = [_sample(*row) for row in document["samples"][:MOST]]
        return Answer(samples, None, float(document["at"]))
    except (ValueError, KeyError, TypeError) as error:
        return Answer([], f"the facts cannot be read: {error}")


def write_facts(path: str, samples: list[Sample], at: float, state: dict[str, Any]) -> None:
    """Aside and renamed, so that no reader finds half of it. `state` is the collector's own."""
    rows = [[s.name, dict(s.labels), s.value] for s in samples]
    document = {"format": FORMAT, "at": at, "state": state, "samples": rows}
    write_aside(path, json.dumps(document))


def read_state(path: str) -> dict[str, Any]:
    """What the collector remembers of its last run."""
    try:
        return dict(read_json(read_text(path, LONGEST + 1) or "", LONGEST)["state"])
    except (ValueError, KeyError, TypeError):
        return {}


def write_aside(path: str, text: str) -> None:
    draft = path + ".new"
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o644)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        os.fchmod(descriptor, 0o644)
        file.write(text)
    os.replace(draft, path)


def _sample(name: str, labels: dict[str, str], value: float) -> Sample:
    """Raises ValueError for what is none of ours."""
    if name not in METRICS or not math.isfinite(value):
        raise ValueError(f"{name[:100]} is no metric")
    return Sample(name, tuple((str(n), str(v)) for n, v in labels.items()), float(value))
