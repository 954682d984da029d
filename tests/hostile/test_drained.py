"""A server that a change drained gets requests again, however the change ended."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from tests.hostile.conftest import OTHER, Site


@pytest.fixture
def placed(site: Site) -> dict[str, Any]:
    """How the instance is placed."""
    manifest = yaml.safe_load((site.folder / "manifest.yaml").read_text())
    found: dict[str, Any] = manifest["hosts"]["h"][0]
    return found


def applied(site: Site, **fields: Any) -> None:
    site.change(lambda manifest: manifest.update(fields))
    ran = site.run("apply", "-y")
    assert ran.code == 0, ran.said
    site.settle()


def test_one_gateway_that_fails_keeps_no_other_from_sending_requests_again(
    site: Site, placed: dict[str, Any]
) -> None:
    gateway = {"hosts": ["h", OTHER], "port": 9000, "api_key": {"env": "CLIENT_KEY"}}
    applied(site, gateway={**gateway, "listen": "0.0.0.0"}, hosts={"h": [], OTHER: [placed]})
    site.host.before = lambda _, stdin: "No such server." if stdin.endswith("state ready") else None
    hosts = {"h": [], OTHER: [{**placed, "n_ctx": 4096}]}
    site.change(lambda manifest: manifest.update(hosts=hosts))
    assert "the gateway could not be told" in site.run("apply", "-y").said
    assert set(site.other.server_states.values()) == {"ready"}


def test_a_drain_that_one_gateway_does_not_follow_is_taken_back_at_the_others(
    site: Site, placed: dict[str, Any]
) -> None:
    gateway = {"hosts": ["h", OTHER], "port": 9000, "api_key": {"env": "CLIENT_KEY"}}
    applied(site, gateway={**gateway, "listen": "0.0.0.0"}, hosts={"h": [placed], OTHER: []})
    site.other.before = lambda _, stdin: "refused" if stdin.endswith("state drain") else None
    assert "did not take drain" in site.run("restart", "q", "-y").said
    assert set(site.host.server_states.values()) == {"ready"}
