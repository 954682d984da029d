"""A model's file that is gone is said once, before the restart that would fail, and hinders nobody
else."""

import json

import pytest

from tests.apply.conftest import MODEL, MakeSite, q
from tests.fake_host.site import FakeSite

GONE = "/m/bge-m3.gguf"


@pytest.fixture
def site(make_site: MakeSite) -> FakeSite:
    """Two hosts with a model each that stays, and three instances of one whose file is gone."""
    other = {"model": "e", "gpus": []}
    made = make_site(
        {"h": "cpu", "b": "cpu"},
        models={"q": MODEL, "e": {"source": GONE, "type": "embedding"}},
        hosts={"h": [q(), other, {**other, "name": "e-2"}], "b": [q(), other]},
    )
    made.apply()
    for host in made.hosts.values():
        host.gone.add(GONE)
    return made


def test_status_warns_once_and_in_json_of_each(site: FakeSite) -> None:
    ran = site.run("status", "-q")
    assert ran.code == 0, "they run"
    assert ran.said.count(GONE) == 2, "its name and the reason"
    assert "WARNING  h/e, h/e-2, b/e: its next start will fail: model" in ran.said
    rows = json.loads(site.run("status", "--json").out)["models"]
    assert [r["instance"] for r in rows if r["warnings"]] == ["e", "e-2", "e"]


def test_a_build_that_is_gone_is_told_too(site: FakeSite) -> None:
    site.hosts["b"].gone.add("/opt/engine")
    assert "b/q, b/e: its next start will fail: llama-server-cpu: /opt/engine" in (
        site.run("status").said
    )


def test_refusals_of_one_cause_are_one(site: FakeSite) -> None:
    ran = site.run("plan")
    assert ran.code == 1
    assert ran.said.count("refused  ") == 1
    assert "refused  h/e, h/e-2, b/e: model" in ran.said
    hosts = json.loads(site.run("plan", "--json").out)["hosts"]
    assert [len(h["refusals"]) for h in hosts.values()] == [2, 1], "programs get each"


def test_the_refusal_names_what_can_be_applied_without_it(site: FakeSite) -> None:
    site.change(lambda m: m["models"]["q"].update(n_ctx=4096))
    assert "`--limit q`" in site.run("apply", "-y").said
    assert site.run("apply", "-y", "--limit", "q").code == 0
    for host in ("h", "b"):
        assert site.record(host)["instances"]["q"]["spec"]["n_ctx"] == 4096


def test_verify_goes_on_with_the_others_and_with_what_runs(site: FakeSite) -> None:
    checks = json.loads(site.run("verify", "--json").out)["checks"]
    asked = {(c["host"], c["instance"]) for c in checks if c["what"] == "real request" and c["ok"]}
    assert asked == {("h", "q"), ("h", "e"), ("h", "e-2"), ("b", "q"), ("b", "e")}
    assert {c["instance"] for c in checks if not c["ok"]} == {"e", "e-2"}
    assert site.run("verify", "--limit", "q").code == 0
