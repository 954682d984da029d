"""The dashboards, as far as they can be checked without Grafana: by their JSON, by the SDK of its
version 11 and, for their queries, by Prometheus' own tool.
"""

import itertools
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.watch.debian import program
from tests.watch.metric_names import exported, recorded, used
from xgen_deploy.watch.dashboards.files import DASHBOARDS, dashboard_files, dashboard_json
from xgen_deploy.watch.dashboards.panel import Dashboard, Query

PROJECT = "lotte"
IDS = [dashboard.name for dashboard in DASHBOARDS]


def queries(dashboard: Dashboard) -> list[Query]:
    return [query for row in dashboard.rows for panel in row.panels for query in panel.queries]


def as_prometheus_reads(expr: str) -> str:
    """With every value of each variable."""
    for variable in ("project", "host", "model"):
        expr = expr.replace(f"${variable}", ".*")
    return expr.replace("$__rate_interval", "1m")


def _keys(value: Any, path: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for key, part in value.items():
            yield f"{path}.{key}"
            yield from _keys(part, f"{path}.{key}")
    elif isinstance(value, list):
        for at, part in enumerate(value):
            yield from _keys(part, f"{path}[{at}]")


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=IDS)
def test_grafana_11_knows_every_key(dashboard: Dashboard) -> None:
    pytest.importorskip("grafana_foundation_sdk", reason="the SDK is not installed: `make`")
    from grafana_foundation_sdk.cog.encoder import JSONEncoder
    from grafana_foundation_sdk.models.dashboard import Dashboard as OfGrafana

    written = dashboard_json(dashboard, PROJECT)
    read = json.loads(JSONEncoder().encode(OfGrafana.from_json(written)))
    assert set(_keys(written)) - set(_keys(read)) == set()


def test_a_misspelt_key_would_be_noticed() -> None:
    pytest.importorskip("grafana_foundation_sdk", reason="the SDK is not installed: `make`")
    from grafana_foundation_sdk.cog.encoder import JSONEncoder
    from grafana_foundation_sdk.models.dashboard import Dashboard as OfGrafana

    written = dashboard_json(DASHBOARDS[0], PROJECT) | {"schemaVersoin": 1}
    read = json.loads(JSONEncoder().encode(OfGrafana.from_json(written)))
    assert set(_keys(written)) - set(_keys(read)) == {".schemaVersoin"}


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=IDS)
def test_panels_have_their_own_numbers_and_places(dashboard: Dashboard) -> None:
    panels = dashboard_json(dashboard, PROJECT)["panels"]
    numbers = [panel["id"] for panel in panels]
    assert len(set(numbers)) == len(numbers)
    places = [panel["gridPos"] for panel in panels]
    assert all(place["x"] + place["w"] <= 24 for place in places)
    for one, other in itertools.combinations(places, 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        beneath = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert beside or beneath


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=IDS)
def test_every_query_asks_the_prometheus_that_is_chosen(dashboard: Dashboard) -> None:
    panels = dashboard_json(dashboard, PROJECT)["panels"]
    for panel in (p for p in panels if p["type"] != "row"):
        for part in (panel, *panel["targets"]):
            assert part["datasource"] == {"type": "prometheus", "uid": "${datasource}"}


def test_dashboards_of_two_projects_are_two() -> None:
    uids = [
        json.loads(text)["uid"]
        for project in (PROJECT, "other", "x" * 40)
        for text in dashboard_files(project).values()
    ]
    assert len(set(uids)) == len(uids)
    assert max(map(len, uids)) <= 40


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=IDS)
def test_prometheus_understands_every_query(dashboard: Dashboard, tmp_path: Path) -> None:
    rules = [
        {"record": f"panel:query_{number}", "expr": as_prometheus_reads(query.expr)}
        for number, query in enumerate(queries(dashboard))
    ]
    path = tmp_path / "rules.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    words = [program("promtool"), "check", "rules", str(path)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("dashboard", "expr"), [(d.name, query.expr) for d in DASHBOARDS for query in queries(d)]
)
def test_a_query_reads_metrics_that_there_are(dashboard: str, expr: str) -> None:
    names = used(expr)
    own = {name for name in names if name.startswith("xgen_")}
    assert own | (names & recorded()) == names
    if dashboard != "gpu-vendors":
        assert names <= exported()
