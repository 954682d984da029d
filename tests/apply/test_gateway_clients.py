"""Clients with keys of their own: delivered as digests, compared, rotated by a reload, verified."""

from __future__ import annotations

import hashlib

import pytest

from tests.apply.conftest import GATEWAY, MODEL, MakeSite, q
from tests.fake_host.host import LAYOUT
from tests.fake_host.site import FakeSite
from xgen_deploy.state.gateway_paths import keys_file

CLIENTS = {
    "team-a": {"env": "KEY_A", "models": ["q"], "rate": "60/m"},
    "team-b": {"env": "KEY_B", "models": ["r"]},
}


@pytest.fixture
def site(make_site: MakeSite, monkeypatch: pytest.MonkeyPatch) -> FakeSite:
    gateway = {n: v for n, v in GATEWAY.items() if n != "api_key"}
    made = make_site(
        {"g": "cpu", "h": "cpu"},
        models={"q": MODEL, "r": MODEL},
        gateway={**gateway, "clients": CLIENTS},
        hosts={"h": [q(), {"model": "r", "gpus": []}]},
    )
    monkeypatch.setenv("KEY_A", "sk-a")
    monkeypatch.setenv("KEY_B", "sk-b")
    made.apply()
    made.forget()
    return made


def ask(site: FakeSite, key: str) -> int:
    gateway = site.hosts["g"].haproxy
    return gateway.request(b'{"model": "q"}', key).status if gateway else 0


def test_their_keys_are_delivered_as_digests_for_the_gateway_alone(site: FakeSite) -> None:
    host = site.hosts["g"]
    keys = host.files[keys_file(LAYOUT)].decode()
    assert hashlib.sha256(b"sk-a").hexdigest() in keys
    assert host.modes[keys_file(LAYOUT)] == 0o600
    assert not [p for p, content in host.files.items() if b"sk-a" in content]
    assert [ask(site, key) for key in ("sk-a", "sk-b", "sk-c")] == [200, 200, 401]
    assert site.pending_operations() == []


def test_how_to_ask_names_a_key_of_a_client_who_may(site: FakeSite) -> None:
    said = site.run("status").said
    assert "Bearer $KEY_A" in said, said


def test_a_new_value_is_a_reload(site: FakeSite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEY_A", "sk-new")
    said = site.apply()
    assert "the value of a secret changed; reload, no interruption" in said
    assert [ask(site, key) for key in ("sk-a", "sk-new", "sk-b")] == [401, 200, 200]


def test_a_value_that_is_not_at_hand_stays(site: FakeSite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KEY_A")
    site.change(lambda m: m["gateway"].update(queue_timeout="30s"))
    site.apply()
    assert [ask(site, key) for key in ("sk-a", "sk-b")] == [200, 200]
    ran = site.run("verify")
    assert (ran.code, "client team-a skipped: its key is not available" in ran.said) == (0, True)


def test_one_that_was_never_delivered_is_missed(site: FakeSite) -> None:
    site.change(lambda m: m["gateway"]["clients"].update(c={"env": "KEY_C"}))
    said = site.apply(code=1)
    assert "gateway" in said
    assert "the secret's variable KEY_C is not set here" in said
    assert "Nothing was changed, and no host was locked." in said
    assert ask(site, "sk-a") == 200


def test_two_clients_with_one_key_are_refused(
    site: FakeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEY_B", "sk-a")
    assert "client team-a and client team-b have the same key" in site.apply(code=1)
    assert [ask(site, key) for key in ("sk-a", "sk-b")] == [200, 200]


def test_one_that_leaves_the_manifest_is_refused(site: FakeSite) -> None:
    site.change(lambda m: m["gateway"]["clients"].pop("team-a"))
    plan = site.run("plan").said
    assert "clients.team-a" in plan, plan
    site.apply()
    assert [ask(site, key) for key in ("sk-a", "sk-b")] == [401, 200]


def test_verify_asks_with_each_clients_key(site: FakeSite, monkeypatch: pytest.MonkeyPatch) -> None:
    ran = site.run("verify", "-v")
    assert ran.code == 0, ran.said
    assert "ok       g/gateway  client team-a" in ran.said
    monkeypatch.setenv("KEY_A", "sk-other")
    ran = site.run("verify")
    assert ran.code == 1
    assert "client team-a: /v1/models: HTTP 401 with its key" in ran.said
