"""The alert rules, by Prometheus' own tool."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.watch import alert_cases, alert_table
from tests.watch.debian import program
from tests.watch.metric_names import exported, recorded, used
from xgen_deploy.watch.rules.alert import Alert, Record
from xgen_deploy.watch.rules.file import ALERTS, GROUPS, rules_file
from xgen_deploy.watch.rules.upkeep import HEARTBEAT

CASES = alert_cases.cases()
RULES = [rule for group in GROUPS for rule in group.rules]


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("rules") / "rules.yml"
    path.write_text(rules_file())
    return path


def _promtool(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [program("promtool"), *words], capture_output=True, text=True, check=False
    )


def test_prometheus_takes_the_rules(rules: Path) -> None:
    done = _promtool("check", "rules", "--lint=all", "--lint-fatal", str(rules))
    assert done.returncode == 0, done.stderr


def test_each_alert_fires_and_stays_silent_where_it_should(tmp_path: Path) -> None:
    done = _promtool("test", "rules", *map(str, alert_cases.write(tmp_path)))
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_alert_is_without_a_case_that_fires_and_one_that_does_not() -> None:
    assert set(CASES) == {alert.name for alert in ALERTS}
    assert [name for name, case in CASES.items() if not case["fires"]] == []
    assert [name for name, case in CASES.items() if not case["silent"]] == [HEARTBEAT]


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_an_alert_says_where_it_is_and_what_to_run(alert: Alert) -> None:
    for case in CASES[alert.name]["fires"]:
        if "host=" in case["labels"] or "H" in case["labels"]:
            assert "gpu-01" in case["summary"]
        if re.search(r"\bI\b", case["labels"]):
            assert "qwen-2" in case["summary"]
        assert re.fullmatch(r"(xgen-deploy [a-z ]+ MANIFEST|timedatectl).*", case["command"])


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_a_rule_reads_metrics_that_there_are(rule: Alert | Record) -> None:
    names = used(rule.expr)
    own = {name for name in names if name.startswith("xgen_")}
    of_vendors = {name for name in names if name.startswith("DCGM_")}
    assert own | (names & recorded()) == names
    assert names - of_vendors <= exported()


def test_the_documented_alerts_are_those_that_there_are() -> None:
    page = alert_table.PAGE.read_text(encoding="utf-8")
    assert alert_table.written(page) == page
