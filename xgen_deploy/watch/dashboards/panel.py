"""Dashboards as values, and the JSON of Grafana 11 that they become. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from string import ascii_uppercase
from typing import Any, Literal

WIDTH = 24
SCHEMA_VERSION = 41
Kind = Literal["timeseries", "stat", "table"]
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}


@dataclass(frozen=True)
class Query:
    """`legend` names a series by its labels; in a table it names the column."""

    expr: str
    legend: str = "__auto"
    unit: str | None = None


@dataclass(frozen=True)
class Panel:
    """`hidden` are columns of a table that say nothing to a reader."""

    title: str
    queries: tuple[Query, ...]
    kind: Kind = "timeseries"
    unit: str = "short"
    width: int = 8
    height: int = 8
    about: str = ""
    least: float | None = 0
    most: float | None = None
    alarming: float | None = None
    hidden: tuple[str, ...] = ()


@dataclass(frozen=True)
class Row:
    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True)
class Variable:
    """Values of a label, of which several can be chosen."""

    name: str
    label: str
    query: str


@dataclass(frozen=True)
class Dashboard:
    name: str
    title: str
    about: str
    variables: tuple[Variable, ...]
    rows: tuple[Row, ...]


def panels_json(rows: Iterable[Row]) -> Iterator[dict[str, Any]]:
    """Each beneath or beside the one before, as they come."""
    number, top = 0, 0
    for row in rows:
        number += 1
        yield _row_json(row.title, number, top)
        top += 1
        left, height = 0, 0
        for panel in row.panels:
            if left + panel.width > WIDTH:
                top, left, height = top + height, 0, 0
            number += 1
            place = {"h": panel.height, "w": panel.width, "x": left, "y": top}
            yield _panel_json(panel, number, place)
            left, height = left + panel.width, max(height, panel.height)
        top += height


def _row_json(title: str, number: int, top: int) -> dict[str, Any]:
    place = {"h": 1, "w": WIDTH, "x": 0, "y": top}
    return {
        "id": number,
        "type": "row",
        "title": title,
        "collapsed": False,
        "gridPos": place,
        "panels": [],
    }


def _panel_json(panel: Panel, number: int, place: dict[str, int]) -> dict[str, Any]:
    panel_json: dict[str, Any] = {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "gridPos": place,
        "datasource": DATASOURCE,
        "targets": [
            _target(panel, query, ref)
            for query, ref in zip(panel.queries, ascii_uppercase, strict=False)
        ],
        "fieldConfig": {"defaults": _defaults(panel), "overrides": _overrides(panel)},
        "options": _OPTIONS[panel.kind],
    }
    if panel.about:
        panel_json["description"] = panel.about
    if panel.kind == "table":
        panel_json["transformations"] = _one_table(panel)
    return panel_json


def _target(panel: Panel, query: Query, ref: str) -> dict[str, Any]:
    now = panel.kind != "timeseries"
    return {
        "refId": ref,
        "datasource": DATASOURCE,
        "expr": query.expr,
        "legendFormat": query.legend,
        "editorMode": "code",
        "instant": now,
        "range": not now,
        "format": "table" if panel.kind == "table" else "time_series",
    }


def _defaults(panel: Panel) -> dict[str, Any]:
    defaults: dict[str, Any] = {"unit": panel.unit}
    if panel.kind == "timeseries":
        defaults["custom"] = {"fillOpacity": 8, "lineWidth": 1, "showPoints": "never"}
    if panel.least is not None and panel.kind == "timeseries":
        defaults["min"] = panel.least
    if panel.most is not None:
        defaults["max"] = panel.most
    if panel.alarming is not None:
        steps = [{"color": "green", "value": None}, {"color": "red", "value": panel.alarming}]
        defaults["thresholds"] = {"mode": "absolute", "steps": steps}
    return defaults


def _overrides(panel: Panel) -> list[dict[str, Any]]:
    """The unit of each column of a table."""
    return [
        {
            "matcher": {"id": "byName", "options": query.legend},
            "properties": [{"id": "unit", "value": query.unit}],
        }
        for query in panel.queries
        if query.unit is not None
    ]


def _one_table(panel: Panel) -> list[dict[str, Any]]:
    """One line for what has the same labels, a column for each query."""
    columns = {
        f"Value #{ref}": query.legend
        for query, ref in zip(panel.queries, ascii_uppercase, strict=False)
    }
    if len(panel.queries) == 1:
        columns = {"Value": panel.queries[0].legend}
    hidden = ("Time", *panel.hidden, *(c for c, name in columns.items() if not name))
    return [
        {"id": "merge", "options": {}},
        {
            "id": "organize",
            "options": {
                "excludeByName": dict.fromkeys(hidden, True),
                "renameByName": {column: name for column, name in columns.items() if name},
            },
        },
    ]


_OPTIONS: dict[Kind, dict[str, Any]] = {
    "timeseries": {
        "legend": {
            "displayMode": "table",
            "placement": "bottom",
            "showLegend": True,
            "calcs": ["lastNotNull", "max"],
        },
        "tooltip": {"mode": "multi", "sort": "desc"},
    },
    "stat": {
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "colorMode": "value",
        "graphMode": "none",
        "textMode": "auto",
    },
    "table": {"showHeader": True, "cellHeight": "sm"},
}
