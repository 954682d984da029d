"""What only this machine can lack is told before a host is locked, all of it at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.apply.conftest import GATEWAY, MODEL, MakeSite, q
from tests.fake_host.site import FakeSite

LACKING: dict[str, dict[str, Any]] = {
    "a": {"api_key": {"env": "NOT_SET"}},
    "b": {"env": {"TOKEN": {"file": "/nowhere/token"}}},
    "d": {},
}


def fleet(make_site: MakeSite) -> FakeSite:
    models = {name: {**MODEL, **fields} for name, fields in LACKING.items()}
    clients = {"team-a": {"env": "NOT_SET_FOR_A"}}
    gateway = {**GATEWAY, "api_key": {"env": "NOT_SET_EITHER"}, "clients": clients}
    places = {"h": [q(model=name) for name in LACKING]}
    return make_site({"g": "cpu", "h": "cpu"}, models=models, hosts=places, gateway=gateway)


@pytest.mark.parametrize("command", ["apply", "plan"])
def test_every_secret_that_is_not_at_hand(make_site: MakeSite, command: str) -> None:
    site = fleet(make_site)
    ran = site.run(command, *["-y"] * (command == "apply"))
    assert [h.calls for h in site.hosts.values()] == [[], []]
    if command == "plan":  # it looks up no secret
        assert ran.code == 0
        return
    assert ran.code == 1
    for said in (
        "h/a: the secret's variable NOT_SET is not set here, and no earlier value was delivered",
        "h/b: the secret's file /nowhere/token cannot be read: No such file or directory",
        "gateway.api_key: the secret's variable NOT_SET_EITHER is not set here",
        "gateway.clients.team-a: the secret's variable NOT_SET_FOR_A is not set here",
        "Nothing was changed, and no host was locked.",
    ):
        assert said in ran.said
    assert "h/d:" not in ran.said


def test_a_command_is_run_before_the_lock_and_once_an_apply(make_site: MakeSite) -> None:
    keyed = {**MODEL, "api_key": {"command": "op read key"}}
    site = make_site(models={"q": keyed}, hosts={"h": [q(), q(name="q2")]})
    site.commands["op read key"] = "with a blank"
    ran = site.run("apply", "-y")
    assert (ran.code, site.hosts["h"].calls) == (1, [])
    assert "h/q: the secret from command op read key (api_key)" in ran.said
    assert "with a blank" not in ran.said
    site.commands["op read key"] = "sk-good"
    site.commands_run.clear()
    assert "sk-good" not in site.apply()
    assert site.commands_run == ["op read key"]
    assert {process.key for process in site.hosts["h"].running()} == {"sk-good"}
    assert site.run("plan").code == 0
    assert site.commands_run == ["op read key"]


@pytest.mark.parametrize("address", [None, "not an address"])
def test_an_unusable_audit_webhook_is_told_before_the_lock_and_once(
    site: FakeSite, monkeypatch: pytest.MonkeyPatch, address: str | None
) -> None:
    if address is not None:
        monkeypatch.setenv("HOOK", address)
    site.change(lambda m: m.update(audit={"webhook": {"env": "HOOK"}}))
    site.hosts["h"].locked_by = "kim@laptop"
    ran = site.run("apply", "-y")
    assert ran.code == 5
    assert "warning: audit.webhook: the secret" in ran.err
    assert "it will not be told what is done" in ran.err
    site.hosts["h"].locked_by = ""
    ran = site.run("apply", "-y")
    assert (ran.code, ran.err.count("audit.webhook")) == (0, 1), ran.said


def test_what_was_delivered_before_need_not_be_here(
    gateway_site: FakeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ENGINE_KEY")
    monkeypatch.delenv("CLIENT_KEY")
    gateway_site.change(lambda m: m["models"]["q"].update(n_ctx=4096))
    gateway_site.apply()


@pytest.mark.parametrize("name", ["none/plan.json", "."])
def test_where_a_plan_cannot_be_saved_no_host_is_asked(
    site: FakeSite, tmp_path: Path, name: str
) -> None:
    site.hosts["h"].unreachable = "it must not be asked"
    ran = site.run("plan", "-o", str(tmp_path / name))
    assert ran.code == 1
    assert "cannot be written: " in ran.said
    assert "must not be asked" not in ran.said


def test_where_the_audit_file_cannot_be_written_no_host_is_locked(make_site: MakeSite) -> None:
    site = make_site(audit={"file": "/nowhere/audit.jsonl"})
    ran = site.run("apply", "-y")
    assert ran.code == 1
    assert "audit.file: /nowhere/audit.jsonl cannot be written" in ran.said
    assert site.hosts["h"].calls == []
