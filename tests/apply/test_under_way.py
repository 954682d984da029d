"""While somebody is at work on a host every command says so, and nothing of it is called dead."""

from __future__ import annotations

import json
import time

import pytest

from tests.fake_host.site import FakeSite
from xgen_deploy.apply.host_sessions import lock_owner

HOLDER = {**lock_owner("apply"), "by": "kim@ops", "pid": "77", "operation": "update q"}


def hold(site: FakeSite, *, by_guard: bool = False, pending: bool = True) -> None:
    """As the host is in the middle of an apply, or once that was interrupted."""
    host = site.hosts["h"]
    host.lock_facts = {"holder": json.dumps(HOLDER), "pid": 78 if by_guard else 77, "queue": []}
    leave_unended(site, pending=pending)


def leave_unended(site: FakeSite, *, pending: bool = True) -> None:
    host, record = site.hosts["h"], site.record()
    record["last_apply"].update(number=2, by="kim@ops", began=time.time() - 40)
    for key in ("outcome", "ended"):
        del record["last_apply"][key]
    record["pending"] = {"q": record["instances"]["q"]["digest"]} if pending else {}
    path = next(p for p in host.files if p.endswith("record.json"))
    host.files[path] = json.dumps(record).encode()


@pytest.fixture
def applied(site: FakeSite) -> FakeSite:
    site.apply()
    return site


def test_status_names_who_is_at_work(applied: FakeSite) -> None:
    hold(applied)
    said = applied.run("status").said
    assert "apply #2 kim@ops under way for 40 s (h: update q)" in said
    assert "h  locked by kim@ops since " in said
    assert "(apply: update q)" in said
    assert "NEVER ENDED" not in said
    lock = json.loads(applied.run("status", "--json").said)["hosts"]["h"]["lock"]
    assert (lock["by"], lock["doing"], lock["operation"]) == ("kim@ops", "apply", "update q")


def test_plan_says_that_it_is_of_a_moment(applied: FakeSite) -> None:
    hold(applied)
    said = applied.run("plan").said
    assert "apply #2 kim@ops under way for 40 s (h: update q)" in said
    assert "it is being changed right now, by kim@ops since " in said
    assert "warning  h: locked by kim@ops since " in said
    assert "did not finish" not in said


def test_history_has_the_one_that_is_under_way(applied: FakeSite) -> None:
    hold(applied)
    said = applied.run("history").said
    first = next(line for line in said.splitlines() if line.startswith("#"))
    assert first.startswith("#2 ")
    assert first.endswith("under way for 40 s (h: update q)")
    document = json.loads(applied.run("history", "--json").said)
    assert [a["number"] for a in document["applies"]] == [2, 1]
    assert document["locks"]["h"]["operation"] == "update q"


@pytest.mark.parametrize("command", ["stop", "start", "restart"])
def test_what_is_being_changed_is_left_to_who_does_it(applied: FakeSite, command: str) -> None:
    hold(applied)
    ran = applied.run(command, "-y")
    assert ran.code == 1
    assert "it is being changed right now (locked by kim@ops since " in ran.said


def test_a_guard_at_work_is_said(applied: FakeSite) -> None:
    hold(applied, by_guard=True)
    ran = applied.run("status")
    assert ran.code == 1
    assert "interrupted: h puts back what worked before" in ran.said
    assert "putting back" in next(r for r in ran.said.splitlines() if r.startswith("h     q"))
    assert "the host puts back what worked" in applied.run("plan").said
    model = json.loads(applied.run("status", "--json").said)["models"][0]
    assert model["status"] == "putting back"


def test_one_whose_process_is_gone_is_dead(applied: FakeSite) -> None:
    leave_unended(applied)
    said = applied.run("status").said
    assert "apply #2 kim@ops 40 s ago: NEVER ENDED, and nobody is at it any more" in said
    assert "an earlier apply began it and did not finish" in applied.run("plan").said
    assert "NEVER ENDED, and nobody is at it any more" in applied.run("history").said


def test_a_unit_on_its_way_down_does_not_run(applied: FakeSite) -> None:
    host = applied.hosts["h"]
    document = json.loads(host.observe(b"", host.last_request))
    document["services"][0].update(state="deactivating", sub_state="stop-sigterm")
    host.document = document
    ran = applied.run("status")
    assert ran.code == 1
    assert "h/q  it is being stopped, or restarted" in ran.said


def test_an_engine_that_ends_by_itself_is_not_being_stopped(applied: FakeSite) -> None:
    host = applied.hosts["h"]
    document = json.loads(host.observe(b"", host.last_request))
    ended = {"state": "deactivating", "sub_state": "stop-post", "result": "exit-code"}
    document["services"][0].update(ended, exit_status=1, restarts=3)
    host.document = document
    ran = applied.run("status")
    assert ran.code == 1
    assert "h/q  crash loop (3 restarts): exit status 1" in ran.said


@pytest.mark.parametrize("command", ["apply", "stop", "restart"])
def test_the_lock_names_each_operation(applied: FakeSite, command: str) -> None:
    applied.change(lambda m: m["models"]["q"].update(n_ctx=4096))
    host = applied.hosts["h"]
    host.noted.clear()
    assert applied.run(command, "-y").code == 0
    action = "update" if command == "apply" else command
    assert host.noted == [f"{action} q", None]
    assert "locked by" not in applied.run("plan").said
