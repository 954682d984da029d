"""The one table of metrics: its names follow Prometheus' conventions, and the docs have it."""

import re
from pathlib import Path

import pytest

from xgen_deploy.watch.metrics import COMMON, OWN, Metric
from xgen_deploy.watch.relayed import RELAYED

PAGE = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text()
UNITS = ("_seconds", "_bytes", "_ratio", "_celsius", "_watts", "_total", "_info")


def _row(metric: Metric) -> str:
    labels = ", ".join(f"`{label}`" for label in metric.labels)
    return f"| `{metric.name}` | {metric.kind} | {labels} |"


def test_the_docs_list_them_all_and_no_others() -> None:
    rows = {line for line in PAGE.splitlines() if line.startswith("| `")}
    assert {f"{_row(m)} {m.help} |" for m in OWN} | {_row(m) for m in RELAYED} == rows


def test_each_has_one_line() -> None:
    names = [m.name for m in (*OWN, *RELAYED)]
    assert sorted(names) == sorted(set(names))


@pytest.mark.parametrize("metric", OWN, ids=lambda m: m.name)
def test_names_follow_the_conventions(metric: Metric) -> None:
    assert re.fullmatch(r"xgen_[a-z0-9]+(_[a-z0-9]+)*", metric.name)
    assert metric.name.endswith("_total") == (metric.kind == "counter")
    assert not re.search(r"(percent|_mb|_mib|milli)", metric.name)
    if re.search(r"memory_(?!pressure)|disk|temperature|power_|timestamp|utilization", metric.name):
        assert metric.name.endswith(UNITS)
    assert not set(metric.labels) & set(COMMON)
