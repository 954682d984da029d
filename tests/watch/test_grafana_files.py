"""What Grafana is provisioned with."""

import configparser
import json
from typing import Any

import pytest
import yaml

from tests.watch.test_prometheus_files import spec
from xgen_deploy.watch.dashboards.files import datasource_uid
from xgen_deploy.watch.grafana import GrafanaPaths, grafana_files

OWN = {"grafana": {"port": 3001, "admin_password": {"env": "GF"}}}
PROVISIONED = {"grafana": {"provision": "/etc/grafana/provisioning"}}
PATHS = GrafanaPaths(folder="/run/xgen-lotte-grafana")


def _settings(paths: GrafanaPaths = PATHS, **fields: Any) -> configparser.RawConfigParser:
    parser = configparser.RawConfigParser()
    parser.read_string(grafana_files("lotte", spec(**OWN, **fields), paths)["grafana.ini"])
    return parser


def _source(paths: GrafanaPaths = PATHS, **fields: Any) -> dict[str, Any]:
    files = grafana_files("lotte", spec(**{**OWN, **fields}), paths)
    (source,) = yaml.safe_load(files["datasources/xgen-lotte.yaml"])["datasources"]
    return dict(source)


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [
        ("auth.anonymous", "enabled", "false"),
        ("users", "allow_sign_up", "false"),
        ("analytics", "reporting_enabled", "false"),
        ("analytics", "check_for_updates", "false"),
        ("analytics", "check_for_plugin_updates", "false"),
        ("plugins", "plugin_admin_enabled", "false"),
        ("plugins", "preinstall_disabled", "true"),
        ("news", "news_feed_enabled", "false"),
        ("snapshots", "external_enabled", "false"),
        ("security", "disable_gravatar", "true"),
        ("server", "http_addr", "127.0.0.1"),
        ("server", "http_port", "3001"),
        ("server", "protocol", "http"),
    ],
)
def test_nobody_comes_in_unasked_and_nothing_is_asked_of_the_internet(
    section: str, key: str, value: str
) -> None:
    assert _settings()[section][key] == value


def test_no_password_is_in_a_file_that_others_read() -> None:
    text = "".join(grafana_files("lotte", spec(**OWN), PATHS).values())
    assert "admin_password" not in text
    login = GrafanaPaths(folder="/f", login=("ops", "/run/credentials/password"))
    source = _source(login, users={"ops": {"env": "OPS"}})
    assert source["basicAuthUser"] == "ops"
    assert source["secureJsonData"] == {"basicAuthPassword": "$__file{/run/credentials/password}"}


def test_with_tls_it_is_spoken_to_encrypted() -> None:
    paths = GrafanaPaths(folder="/f", cert="/c/tls.crt", key="/c/tls.key")
    tls = {"cert": "/etc/tls.crt", "key": "/etc/tls.key"}
    parser = _settings(paths, listen="10.0.0.5", tls=tls)
    assert dict(parser["server"]) == {
        "protocol": "https",
        "http_addr": "10.0.0.5",
        "http_port": "3001",
        "cert_file": "/c/tls.crt",
        "cert_key": "/c/tls.key",
    }
    assert parser["security"]["cookie_secure"] == "true"


@pytest.mark.parametrize(
    ("fields", "url"),
    [
        ({}, "http://127.0.0.1:9090"),
        ({"listen": "0.0.0.0"}, "http://127.0.0.1:9090"),
        ({"listen": "10.0.0.5", "tls": {"cert": "/c", "key": "/k"}}, "https://10.0.0.5:9090"),
        ({"listen": "fd00::5"}, "http://[fd00::5]:9090"),
    ],
)
def test_grafana_finds_prometheus(fields: dict[str, Any], url: str) -> None:
    assert _source(**fields)["url"] == url


def test_the_dashboards_are_those_that_are_provisioned_and_ask_that_data_source() -> None:
    files = grafana_files("lotte", spec(**OWN), PATHS)
    (provider,) = yaml.safe_load(files["dashboards/xgen-lotte.yaml"])["providers"]
    assert provider["options"] == {"path": "/run/xgen-lotte-grafana/xgen-lotte"}
    assert provider["allowUiUpdates"] is False
    boards = [json.loads(text) for path, text in files.items() if path.startswith("xgen-lotte/")]
    assert len(boards) == 4
    for board in boards:
        (chosen, *_) = board["templating"]["list"]
        assert chosen["current"]["value"] == _source()["uid"] == datasource_uid("lotte")


def test_a_grafana_that_is_there_keeps_its_settings() -> None:
    paths = GrafanaPaths(folder="/etc/grafana/provisioning")
    files = grafana_files("lotte", spec(**PROVISIONED), paths)
    assert "grafana.ini" not in files
    assert {path.partition("/")[0] for path in files} == {
        "datasources",
        "dashboards",
        "xgen-lotte",
    }
