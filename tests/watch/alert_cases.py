"""When each alert fires, and when it stays silent: tests/watch/alerts, as promtool reads it."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from xgen_deploy.watch.rules.alert import Alert
from xgen_deploy.watch.rules.file import ALERTS

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


def promtool_tests(rules: str) -> str:
    by_name = {alert.name: alert for alert in ALERTS}
    tests = [test for name, case in cases().items() for test in _tests(by_name[name], case)]
    return yaml.safe_dump({"rule_files": [rules], "evaluation_interval": "15s", "tests": tests})


def _tests(alert: Alert, case: Any) -> Iterator[dict[str, Any]]:
    for fires in case["fires"]:
        yield _test(alert, fires, [_expected(fires)])
    for silent in case["silent"]:
        yield _test(alert, silent, [])


def _test(alert: Alert, case: Any, expected: list[Any]) -> dict[str, Any]:
    return {
        "name": f"{alert.name}: {case.get('about', 'fires' if expected else 'silent')}",
        "interval": "15s",
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
