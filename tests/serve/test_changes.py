"""A change from a browser: an edit of the manifest, its plan, and an apply of exactly that."""

from __future__ import annotations

from typing import Any

import pytest

from tests.apply.conftest import q
from tests.fake_host.engine import Engine
from tests.serve.changing import (
    APPLIES,
    apply,
    ask,
    changing,
    events_of,
    reason,
    runner_of,
    text_of,
)
from tests.serve.conftest import Serve
from xgen_deploy.serve.settings import Asked

TWO = {"h": "cpu", "n": "cpu"}
ON_TWO: dict[str, Any] = {"hosts": {"h": [q()], "n": []}}


def test_a_load_is_planned_and_writes_nothing(serve: Serve) -> None:
    served = changing(serve, TWO, **ON_TWO)
    before = text_of(served)
    change = ask(served.by_link(), "load", model="q", host="n", gpus=[], n_ctx=4096)
    assert change["state"] == "planned"
    assert [o["id"] for o in change["plan"]["hosts"]["n"]["operations"]] == ["n/q"]
    assert change["fingerprint"] == change["plan"]["fingerprint"]
    added = [line for line in change["diff"].splitlines() if line.startswith("+ ")]
    assert added == ["+  n:", "+  - model: q", "+    gpus: []", "+    n_ctx: 4096"]
    assert text_of(served) == before


def test_a_body_that_is_not_sent_as_json_is_told_how_to_be(serve: Serve) -> None:
    """What `curl -d` sends by itself."""
    served = changing(serve, TWO, **ON_TWO)
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    done = served.by_link().post("/api/management/load", content='{"model": "q"}', headers=form)
    assert (done.status_code, reason(done.json())) == (
        415,
        "send JSON, with the header `Content-Type: application/json`",
    )


def test_its_apply_writes_the_file_and_carries_it_out(serve: Serve) -> None:
    served = changing(serve, TWO, **ON_TWO)
    browser = served.by_link()
    change = ask(browser, "load", model="q", host="n", gpus=[], n_ctx=4096)
    done = apply(browser, change)
    assert (done["state"], done["exit_code"]) == ("applied", 0)
    assert served.site.manifest["hosts"]["n"] == [{"model": "q", "gpus": [], "n_ctx": 4096}]
    assert served.site.record("n")["instances"]["q"]["declared"]["n_ctx"] == 4096
    events = events_of(browser, change)
    assert events[0]["kind"] in ("start", "plan")
    assert events[-1]["kind"] == "end"
    assert served.site.pending_operations() == []


def test_an_edit_of_what_is_there_asks_for_the_name_and_touches_its_line_alone(
    serve: Serve,
) -> None:
    served = changing(serve, hosts={"h": [q(n_ctx=2048)]})
    browser, before = served.by_link(), text_of(served)
    change = ask(browser, "load", model="q", host="h", n_ctx=8192)
    assert change["confirm"] == "q"
    assert "type `q`" in reason(apply(browser, change, 409, name=None))
    assert text_of(served) == before
    assert apply(browser, change)["state"] == "applied"
    head, own, tail = before.rpartition("n_ctx: 2048")
    assert (own, text_of(served)) == ("n_ctx: 2048", f"{head}n_ctx: 8192{tail}")


def test_unload_removes_the_placement_and_the_instance(serve: Serve) -> None:
    served = changing(serve, hosts={"h": [q()]})
    browser = served.by_link()
    change = ask(browser, "unload", host="h", name="q")
    assert (change["role"], change["confirm"]) == ("admin", "q")
    assert apply(browser, change)["state"] == "applied"
    assert served.site.manifest["hosts"]["h"] == []
    assert served.site.record()["instances"] == {}


@pytest.mark.parametrize(("action", "up"), [("stop", False), ("restart", True)])
def test_actions_are_planned_like_on_the_command_line(serve: Serve, action: str, up: bool) -> None:
    served = changing(serve)
    browser, before = served.by_link(), text_of(served)
    change = ask(browser, "action", host="h", name="q", action=action)
    assert [o["action"] for o in change["plan"]["hosts"]["h"]["operations"]] == [action]
    assert apply(browser, change)["state"] == "applied"
    assert (served.site.record()["instances"]["q"].get("stopped") is None) is up
    assert text_of(served) == before
    assert runner_of(served).words[0][:1] == (action,)


def test_a_rollback_is_planned_and_carried_out_and_leaves_the_manifest(serve: Serve) -> None:
    served = changing(serve)
    served.site.change(lambda m: m["hosts"].update(h=[q(n_ctx=8192)]))
    served.site.apply()
    browser, before = served.by_link(), text_of(served)
    done = browser.post("/api/rollback", json={})
    assert done.status_code == 202, done.text
    change = done.json()
    assert (change["role"], change["confirm"], change["diff"]) == ("admin", "p", "")
    (operation,) = change["plan"]["hosts"]["h"]["operations"]
    assert (operation["id"], operation["action"]) == ("h/q", "update")
    assert apply(browser, change)["state"] == "applied"
    assert runner_of(served).words[0][2:4] == ("--to=1", "-y")
    assert served.site.record()["instances"]["q"]["declared"]["n_ctx"] == 2048
    assert text_of(served) == before
    assert browser.post("/api/rollback", json={"to": 77}).status_code == 400


def test_the_file_stays_after_a_failed_apply_and_can_be_taken_back(serve: Serve) -> None:
    served = changing(serve)
    browser, before = served.by_link(), text_of(served)
    served.site.hosts["h"].engines["--ctx-size 16384"] = Engine(dies="at once")
    change = ask(browser, "load", model="q", host="h", n_ctx=8192)
    done = apply(browser, change)
    assert (done["state"], done["may_undo"]) == ("failed", True)
    (error,) = done["errors"]
    assert (error["host"], error["instance"]) == ("h", "q")
    assert "previous version was put back" in error["message"]
    assert "n_ctx: 8192" in text_of(served)
    undone = browser.post(f"/api/changes/{change['id']}/undo").json()
    assert (undone["state"], undone["may_undo"]) == ("undone", False)
    assert text_of(served) == before
    assert browser.post(f"/api/changes/{change['id']}/undo").status_code == 409


def test_a_wrong_fingerprint_a_changed_file_and_changed_hosts_are_conflicts(serve: Serve) -> None:
    served = changing(serve, TWO, **ON_TWO)
    browser, before = served.by_link(), text_of(served)
    change = ask(browser, "load", model="q", host="n", gpus=[])
    assert "not the fingerprint" in reason(apply(browser, change, 409, fingerprint="x"))
    path = served.site.folder / "manifest.yaml"
    path.write_text(before + "x-note: theirs\n")
    assert "changed meanwhile" in reason(apply(browser, change, 409))
    path.write_text(before)
    served.site.run("stop", "-y", "q")
    assert "the plan is another one now" in reason(apply(browser, change, 409))
    assert runner_of(served).words == []
    assert text_of(served) == before


def test_while_one_is_applied_another_one_hears_whose_it_is(serve: Serve) -> None:
    served = changing(serve, TWO, **ON_TWO)
    browser = served.by_link()
    first = ask(browser, "load", model="q", host="n", gpus=[])
    second = ask(browser, "action", host="h", name="q", action="restart")
    running = served.context.changes._all[first["id"]]
    running.state, running.applied_by = "applying", "operator2"
    assert reason(apply(browser, second, 409)) == (
        "operator2 is applying another change: load q on n"
    )


def test_at_once_is_for_what_interrupts_nothing(serve: Serve) -> None:
    served = changing(serve, TWO, **ON_TWO)
    browser = served.by_link()
    done = browser.post(
        "/api/management/load?apply=true", json={"model": "q", "host": "n", "gpus": []}
    )
    assert (done.status_code, done.json()["state"]) == (202, "applying")
    events_of(browser, done.json())
    before = text_of(served)
    done = browser.post("/api/management/unload?apply=true", json={"host": "h", "name": "q"})
    assert done.status_code == 409
    assert "interrupts or removes something" in reason(done.json())
    assert text_of(served) == before


def test_what_the_manifest_cannot_take_is_offered_to_be_pasted(serve: Serve) -> None:
    served = changing(
        serve,
        inventory={"all": {"hosts": {"h": {}}, "children": {"all_of_them": {"hosts": {"h": {}}}}}},
        hosts={"all_of_them": [q()], "h": []},
        applied=False,
    )
    answer = ask(served.by_link(), "load", 422, model="q", host="h", name="q2", gpus=[])
    error = answer["errors"][0]
    assert error["message"].startswith("the manifest cannot be edited here: ")
    assert error["way_out"].startswith("hosts:\n  h:\n    - model: q\n      name: q2\n")


def test_off_by_default_and_for_nobody(serve: Serve) -> None:
    served = serve(asked=Asked(), applied=True)
    answer = ask(served.by_link(), "load", 403, model="q", host="h", n_ctx=8192)
    assert "`changes: off`" in reason(answer)


def test_where_changes_are_proposed_a_patch_is_written_and_nothing_else(serve: Serve) -> None:
    served = changing(serve, asked=Asked(changes="propose"))
    browser, before = served.by_link(), text_of(served)
    change = ask(browser, "load", model="q", host="h", n_ctx=8192)
    done = browser.post(
        f"/api/changes/{change['id']}/apply",
        json={"fingerprint": change["fingerprint"], "name": change["confirm"]},
    ).json()
    assert done["state"] == "proposed"
    patch = served.site.folder / f"manifest.yaml.{change['id']}.patch"
    assert done["patch"] == str(patch)
    assert patch.read_text() == change["diff"]
    assert (text_of(served), runner_of(served).words) == (before, [])


def test_the_audit_names_the_user_and_the_login(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("getpass.getuser", lambda: "deploy")
    monkeypatch.setattr("socket.gethostname", lambda: "ops")
    served = changing(serve, asked=APPLIES)
    browser = served.by_link()
    apply(browser, ask(browser, "action", host="h", name="q", action="restart"))
    assert served.site.record()["last_apply"]["by"] == "deploy via serve, deploy@ops"
