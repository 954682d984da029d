"""When each alert fires, and when it stays silent: tests/watch/alerts, as promtool reads it."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from xgen_deploy.watch.rules.alert import Alert, Record
from xgen_deploy.watch.rules.file import ALERTS, GROUPS
from xgen_deploy.watch.yaml_text import yaml_text

_SHORT = {
    "H": 'project="lotte",host="gpu-01"',
    "I": 'project="lotte",host="gpu-01",instance="qwen-2",model="qwen3-8b"',
    "G": 'project="lotte",host="gpu-01",gpu_uuid="GPU-1",gpu_index="0"',
}
_LABEL = re.compile(r'(\w+)="([^"]*)"')


def cases() -> dict[str, Any]:
    """By alert: `fires` and `silent`."""
    files = sorted((Path(__file__).parent / "alerts").glob("*.yaml"))
    return {name: case for file in files for name, case in yaml.safe_load(file.read_text()).items()}


def write(folder: Path) -> list[Path]:
    """promtool's tests, one file an alert: each evaluates that alert alone, with what is recorded.
    What takes hours is looked at every 5 minutes instead of every 15 s.
    """
    stated = cases()
    return [_written(folder, alert, stated[alert.name]) for alert in ALERTS]


def _written(folder: Path, alert: Alert, case: Any) -> Path:
    groups = [
        replace(group, rules=tuple(r for r in group.rules if r == alert or isinstance(r, Record)))
        for group in GROUPS
    ]
    rules, tests = folder / f"{alert.name}.rules.yml", folder / f"{alert.name}.yml"
    rules.write_text(yaml_text({"groups": [group.entry for group in groups if group.rules]}))
    found = list(_tests(alert, case))
    (interval,) = {test["interval"] for test in found}
    tests.write_text(
        yaml.safe_dump(
            {"rule_files": [rules.name], "evaluation_interval": interval, "tests": found}
        )
    )
    return tests


def _tests(alert: Alert, case: Any) -> Iterator[dict[str, Any]]:
    for fires in case["fires"]:
        yield _test(alert, fires, [_expected(fires)])
    for silent in case["silent"]:
        yield _test(alert, silent, [])


def _test(alert: Alert, case: Any, expected: list[Any]) -> dict[str, Any]:
    return {
        "name": f"{alert.name}: {case.get('about', 'fires' if expected else 'silent')}",
        "interval": "5m" if case["at"].endswith("h") else "15s",
        "input_series": [
            {"series": _long(series), "values": values} for series, values in case["series"].items()
        ],
        "alert_rule_test": [
            {"eval_time": case["at"], "alertname": alert.name, "exp_alerts": expected}
        ],
    }


def _expected(case: Any) -> dict[str, Any]:
    labels = {name: value for name, value in _LABEL.findall(_long(case["labels"])) if value}
    return {
        "exp_labels": {**labels, "severity": case["severity"]},
        "exp_annotations": {"summary": case["summary"], "command": case["command"]},
    }


def _long(labels: str) -> str:
    return re.sub(r"(?<![\w\"])([HIG])(?=[,}]|$)", lambda found: _SHORT[found[1]], labels)
