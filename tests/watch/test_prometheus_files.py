"""What Prometheus and Alertmanager read, by their own tools."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.watch.debian import program
from xgen_deploy.state.monitoring import Program, ServerSpec, Target
from xgen_deploy.state.monitoring_config import Alerts
from xgen_deploy.watch.alertmanager import TEST, alertmanager_config
from xgen_deploy.watch.prometheus import prometheus_config, targets, web_config
from xgen_deploy.watch.rules.file import ALERTS, rules_file

ALERTS_SECTION = {
    "webhook": {"env": "PAGER"},
    "heartbeat": {"env": "SWITCH"},
    "email": {
        "to": "oncall@example.net",
        "sender": "xgen@example.net",
        "smarthost": "mail.example.net:587",
        "user": "xgen",
        "password": {"env": "MAIL"},
    },
}
SECRETS = {
    "webhook": "https://example.net/hook?a=b: {c} #d",
    "heartbeat": "https://example.net/alive",
    "email.password": "p: 'w\"#",
}
HASH = "$2b$10$mN2u5Dkm1qOkGsXQbUlM3eTLx7y1O4u6PXFPn6nHwsoKQ0vf3oXZK"


def spec(**fields: Any) -> ServerSpec:
    stated = {"prometheus": Program(binary="/usr/bin/prometheus"), "port": 9090, "retention": "9d"}
    return ServerSpec.model_validate({**stated, **fields})


def _check(*words: str) -> None:
    done = subprocess.run(
        [program(words[0]), *words[1:]], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "WARN" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    "fields", [{}, {"alerts": ALERTS_SECTION, "interval": 5.0}], ids=["alone", "with alerts"]
)
def test_prometheus_takes_its_settings(fields: dict[str, Any], tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("t")
    (tmp_path / "prometheus.yml").write_text(
        prometheus_config(spec(**fields), str(tmp_path), str(token))
    )
    (tmp_path / "rules.yml").write_text(rules_file())
    (tmp_path / "ca.pem").write_text("")
    exporters = [
        Target(host="gpu-01", address="10.0.0.1", port=9809),
        Target(host="gpu-02", address="fd00::2", port=9809),
    ]
    (tmp_path / "targets.json").write_text(targets("lotte", exporters))
    for name in ("node.json", "gpu-vendor.json"):
        (tmp_path / name).write_text("[]")
    _check("promtool", "check", "config", str(tmp_path / "prometheus.yml"))


def test_a_host_speaks_for_nobody_else(tmp_path: Path) -> None:
    settings = yaml.safe_load(prometheus_config(spec(), "/f", "/t"))
    (ours, *_) = settings["scrape_configs"]
    assert not ours.get("honor_labels")
    assert ours["scheme"] == "https"
    assert ours["tls_config"] == {"ca_file": "/f/ca.pem"}
    assert ours["authorization"] == {"credentials_file": "/t"}


def test_targets_are_in_the_form_of_file_based_discovery() -> None:
    exporters = [
        Target(host="gpu-01", address="gpu-01.example", port=9809),
        Target(host="gpu-02", address="fd00::2", port=9810),
    ]
    assert json.loads(targets("lotte", exporters)) == [
        {
            "targets": ["gpu-01.example:9809"],
            "labels": {"project": "lotte", "host": "gpu-01"},
        },
        {"targets": ["[fd00::2]:9810"], "labels": {"project": "lotte", "host": "gpu-02"}},
    ]


def test_prometheus_takes_who_may_ask_it(tmp_path: Path) -> None:
    path = tmp_path / "web.yml"
    path.write_text(web_config("tls.crt", "tls.key", {"ops": HASH}))
    assert yaml.safe_load(path.read_text()) == {
        "tls_server_config": {"cert_file": "tls.crt", "key_file": "tls.key"},
        "basic_auth_users": {"ops": HASH},
    }
    for name in ("tls.crt", "tls.key"):
        (tmp_path / name).write_text("")
    plain = tmp_path / "plain.yml"
    plain.write_text(web_config(None, None, {"ops": HASH}))
    _check("promtool", "check", "web-config", str(plain))


@pytest.mark.parametrize(
    "section",
    [{}, {"webhook": {"env": "A"}}, {"email": ALERTS_SECTION["email"]}, ALERTS_SECTION],
    ids=["nobody", "webhook", "email", "all"],
)
def test_alertmanager_takes_its_settings(section: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "alertmanager.yml"
    path.write_text(alertmanager_config(Alerts.model_validate(section), SECRETS))
    _check("amtool", "check-config", str(path))


@pytest.mark.parametrize(
    ("labels", "receiver"),
    [
        ({"alertname": "XgenInstanceDown", "severity": "critical"}, "team"),
        ({"alertname": "XgenDrift", "severity": "warning"}, "team"),
        ({"alertname": TEST, "severity": "info"}, "team"),
        ({"alertname": "XgenHeartbeat", "severity": "none"}, "heartbeat"),
    ],
    ids=lambda value: value if isinstance(value, str) else value["alertname"],
)
def test_an_alert_goes_where_it_is_to_go(
    labels: dict[str, str], receiver: str, tmp_path: Path
) -> None:
    path = tmp_path / "alertmanager.yml"
    path.write_text(alertmanager_config(Alerts.model_validate(ALERTS_SECTION), SECRETS))
    words = [f"{name}={value}" for name, value in labels.items()]
    _check(
        *("amtool", "config", "routes", "test", f"--config.file={path}"),
        *(f"--verify.receivers={receiver}", *words),
    )


def test_without_a_receiver_nobody_is_told(tmp_path: Path) -> None:
    path = tmp_path / "alertmanager.yml"
    path.write_text(alertmanager_config(Alerts(), {}))
    for name in ("XgenInstanceDown", "XgenHeartbeat"):
        words = ("--verify.receivers=nobody", f"alertname={name}")
        _check("amtool", "config", "routes", "test", f"--config.file={path}", *words)


def test_what_is_inhibited_is_an_alert_that_there_is() -> None:
    settings = yaml.safe_load(alertmanager_config(Alerts(), {}))
    names = {alert.name for alert in ALERTS}
    for rule in settings["inhibit_rules"]:
        for matcher in (*rule["source_matchers"], *rule["target_matchers"]):
            name = matcher.partition('"')[2].strip('"')
            assert name in names or name == "Xgen.+"
