"""What a user who is logged in tries beyond his role and his limits."""

from __future__ import annotations

import asyncio
import json
import os
import re
from typing import Any

import pytest
import yaml
from starlette.testclient import TestClient

from tests.apply.conftest import MODEL, q
from tests.serve.changing import ask, changing
from tests.serve.conftest import ADDRESS, Serve, Served, users
from tests.serve.credentials import HASHED
from tests.serve.test_hostile_hosts import each_text
from xgen_deploy.serve.api.changes import _events
from xgen_deploy.serve.security import open_streams
from xgen_deploy.serve.security.sessions import Sessions
from xgen_deploy.serve.security.users import User, link_user
from xgen_deploy.serve.settings import Asked

TWO = {"h": "cpu", "n": "cpu"}
MODELS = {"q": MODEL, "r": MODEL}
BOTH = {"h": [q(), q(model="r")], "n": [q()]}
ROLES = users(
    edits={"role": "admin"},
    operates={"role": "operator"},
    on_h={"role": "operator", "hosts": ["h"]},
    of_r={"role": "operator", "models": ["r"]},
)
ROLES_OF_H = users(edits={"role": "admin"}, on_h={"role": "operator", "hosts": ["h"]})
READ = ("/page/hosts", "/page/models", "/page/plan", "/page/history", "/api/management/gpus",
        "/api/status", "/api/inference/loading-status", "/api/plan", "/metrics")  # fmt: skip


@pytest.fixture
def served(serve: Serve) -> Served:
    return changing(serve, TWO, models=MODELS, hosts=BOTH, serve=ROLES)


def post(browser: TestClient, path: str, **form: Any) -> Any:
    return browser.post(path, data=form)


def change_id(text: str) -> str:
    found = re.search("/page/changes/([0-9a-f]+)/apply", text)
    assert found, text
    return found[1]


@pytest.mark.parametrize("path", READ)
def test_a_user_of_some_hosts_reads_of_no_other(served: Served, path: str) -> None:
    text = served.logged_in("on_h").get(path).text
    assert "h" in text
    assert not re.search(r"\bn/q\b|\"n\"|>n[ <\n]", text), text


@pytest.mark.parametrize("path", READ)
def test_a_user_of_some_models_reads_of_no_other(served: Served, path: str) -> None:
    text = served.logged_in("of_r").get(path).text
    assert not re.search(r"""["'>/ ]q["'</, ]""", text), text


def test_a_form_of_the_page_has_the_same_limits(served: Served) -> None:
    for user, place in (("on_h", {"host": "n", "name": "q"}), ("of_r", {"host": "h", "name": "q"})):
        browser = served.logged_in(user)
        for what in ("restart", "stop", "start", "remove"):
            text = post(browser, "/page/changes", what=what, **place).text
            assert "/apply" not in text, (user, what)
        for path in ("/page/changes", "/page/forecast"):
            text = post(browser, path, what="load", model="q", **place).text
            assert "there is no" in text, (user, path)
        dialog = post(browser, "/page/deploy", edited=place["name"], **place).text
        assert 'name="edited" value=""' in dialog
    assert "<option>q" not in post(served.logged_in("of_r"), "/page/deploy").text


def test_a_log_of_others_is_not_even_named(served: Served) -> None:
    browser = served.logged_in("on_h")
    assert browser.get("/page/log?host=h&instance=q").status_code == 200
    for host, name in (("n", "q"), ("h", "nothing"), ("..", "../api/session")):
        asked = browser.get("/page/log", params={"host": host, "instance": name})
        assert asked.status_code == 404
        assert name not in asked.text


def test_the_page_shows_a_user_his_part_of_a_change(serve: Serve) -> None:
    """Of the file too: the lines around a change are others'."""
    served = changing(serve, TWO, models=MODELS, hosts={"n": [q()], "h": [q()]}, serve=ROLES_OF_H)
    served.site.change(lambda m: m["hosts"].update(n=[q(n_ctx=4096)]))
    change = ask(served.logged_in("edits"), "load", model="r", host="h", gpus=[])
    page = f"/page/changes/{change['id']}"
    assert "4096" in served.logged_in("edits").get(page).text
    shown = served.logged_in("on_h").get(page).text
    assert "4096" not in shown
    assert change["fingerprint"] in shown


def test_no_hash_of_a_password_is_in_a_diff(serve: Serve) -> None:
    """The lines around a change may be those of `users:`."""
    served = changing(serve, hosts={"h": [q()]}, serve=users(edits={"role": "admin"}))
    path = served.site.folder / "manifest.yaml"
    line = f"serve: {{users: {{edits: {{role: admin, password_hash: '{HASHED}'}}}}}}"
    manifest = yaml.safe_load(path.read_text())
    manifest.pop("serve")
    hosts = manifest.pop("hosts")
    text = yaml.safe_dump(manifest) + line + "\n" + yaml.safe_dump({"hosts": hosts})
    path.write_text(text)
    change = ask(served.logged_in("edits"), "unload", host="h", name="q")
    assert "hosts:" in change["diff"]
    page = served.logged_in("edits").get(f"/page/changes/{change['id']}").text
    assert HASHED.rsplit(":", 1)[1] not in str(change) + page


def test_a_stream_of_a_change_ends_with_the_session(served: Served) -> None:
    change = served.context.changes.of(
        link_user("me"),
        ask(served.logged_in("edits"), "action", host="h", name="q", action="restart")["id"],
    )
    change.lines.extend(["{}"] * 3)
    left = iter([True, False])

    async def told() -> list[str]:
        return [text async for text in _events(change, link_user("me"), 0, lambda: next(left))]

    assert len(asyncio.run(told())) == 3


@pytest.mark.parametrize(
    "form",
    [
        {"gpu": "9" * 5000, "chooses_gpus": "yes"},
        {"n_ctx": "9" * 5000},
        {"n_ctx": "9" * 4000},
        {"n_gpu_layers": "9" * 5000},
        {"parallel": "9" * 400},
        {"n_ctx": "9" * 400},
        {"gpu_memory_utilization": "nan"},
        {"gpu": "²", "chooses_gpus": "yes"},
        {"name": "\x00"},
        {"name": "../../x"},
        {"host": "\ud800".encode("utf-8", "surrogatepass")},
    ],
)
def test_values_that_no_form_sends(served: Served, form: dict[str, Any]) -> None:
    browser = served.logged_in("edits")
    usual = {"what": "load", "model": "q", "host": "h"}
    for path in ("/page/deploy", "/page/forecast", "/page/changes"):
        answer = post(browser, path, **{**usual, **form})
        assert answer.status_code < 500, (path, answer.text)


def test_more_fields_than_any_form_has(served: Served) -> None:
    body = "&".join(f"f{i}=1" for i in range(1000))
    answer = served.logged_in("edits").post("/page/changes", content=body)
    assert answer.status_code in (200, 400, 413, 422), answer.text


@pytest.mark.parametrize(
    "body",
    [
        b'{"model": "q", "host": "h", "n_ctx": ' + b"9" * 400 + b"}",
        b'{"model": "q", "host": "h", "n_ctx": ' + b"9" * 5000 + b"}",
        b'{"model": "q", "host": "h", "gpu_memory_utilization": NaN}',
        b'{"model": "q", "host": "h", "tensor_split": [1e400]}',
        b'{"model": "q", "host": "h", "n_gpu_layers": ' + b"9" * 400 + b"}",
        b'{"model": "q", "host": "h", "replicas": ' + b"9" * 12 + b"}",
        b'{"model": "q", "host": "h", "gpus": {"count": ' + b"9" * 12 + b"}}",
        b'{"model": "q", "host": "h", "parallel": ' + b"9" * 400 + b"}",
        b'{"model": "q", "host": "h", "tensor_parallel_size": ' + b"9" * 400 + b"}",
        b'{"model": "\\ud800", "host": "h"}',
        b'{"model": "q", "host": "h", "name": "\\ud800"}',
        b'{"model": "q", "host": "\\u0000", "name": "\\u0000"}',
        b"[" * 60000,
        b"\xff\xfe",
    ],
)
def test_bodies_that_no_program_sends(served: Served, body: bytes) -> None:
    browser = served.logged_in("edits")
    headers = {"Content-Type": "application/json"}
    for path in ("/api/management/load", "/api/management/unload", "/api/rollback"):
        answer = browser.post(path, content=body, headers=headers)
        assert answer.status_code < 500, (path, answer.text)


def test_a_stream_that_goes_on_after_no_event(served: Served) -> None:
    browser = served.logged_in("edits")
    change = ask(browser, "action", host="h", name="q", action="restart")
    browser.post(
        f"/api/changes/{change['id']}/apply",
        json={"fingerprint": change["fingerprint"], "name": change["confirm"]},
    )
    path = f"/api/changes/{change['id']}/events"
    assert browser.get(path).text
    assert browser.get(path, headers={"Last-Event-ID": "9" * 5000}).status_code == 200


def test_protection_that_came_after_the_plan_holds(serve: Serve) -> None:
    served = changing(serve, hosts={"h": [q()]})
    browser = served.by_link()
    change = ask(browser, "action", host="h", name="q", action="stop")
    served.site.change(lambda m: m["models"].update(q={**MODEL, "protect": True}))
    done = browser.post(
        f"/api/changes/{change['id']}/apply",
        json={"fingerprint": change["fingerprint"], "name": change["confirm"]},
    )
    assert (done.status_code, "protected" in done.text) == (409, True), done.text


def test_a_patch_is_read_by_whom_the_manifest_is(serve: Serve) -> None:
    served = changing(serve, hosts={"h": [q()]}, asked=Asked(changes="propose"))
    manifest = served.site.folder / "manifest.yaml"
    manifest.chmod(0o600)
    before = os.umask(0o022)
    try:
        browser = served.by_link()
        change = ask(browser, "unload", host="h", name="q")
        body = {"fingerprint": change["fingerprint"], "name": change["confirm"]}
        done = browser.post(f"/api/changes/{change['id']}/apply", json=body)
    finally:
        os.umask(before)
    patch = served.site.folder / f"manifest.yaml.{change['id']}.patch"
    assert done.json()["patch"] == str(patch)
    assert patch.stat().st_mode & 0o777 == 0o600


def test_one_user_does_not_take_all_streams(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(open_streams, "MOST", 0)
    browser = served.logged_in("edits")
    change = ask(browser, "action", host="h", name="q", action="restart")
    for path in ("/api/events", f"/api/changes/{change['id']}/events"):
        answer = browser.get(path)
        assert (answer.status_code, "too many" in answer.text) == (503, True)


def test_who_asks_for_the_history_in_a_loop_asks_the_hosts_once(served: Served) -> None:
    browser, asked = served.logged_in("edits"), []
    served.site.hosts["h"].before = lambda argv, _: asked.append(argv)
    served.context.changed()
    assert browser.get("/api/history").json()["applies"]
    first = len(asked)
    for _ in range(5):
        assert browser.get("/page/history").status_code == 200
    assert (len(asked), first > 0) == (first, True)


def test_events_of_others_are_not_told(served: Served) -> None:
    change = served.context.changes.of(
        link_user("me"),
        ask(served.logged_in("edits"), "action", host="h", name="r", action="restart")["id"],
    )
    for line in (
        {"kind": "done", "host": "h", "instance": "r"},
        {"kind": "done", "host": "h", "instance": "q"},
        {"kind": "done", "host": "n", "instance": "q"},
        {"kind": "note", "text": "n is slow"},
    ):
        change.hear(json.dumps(line))
    errors = [{"host": "n", "instance": "q", "message": "secret of n"},
              {"host": "h", "instance": "r", "message": "too slow"}]  # fmt: skip
    change.hear(json.dumps({"kind": "end", "exit_code": 1, "errors": errors}))
    change.end(1)
    for user, lines in (("edits", 5), ("of_r", 2), ("on_h", 3)):
        browser = served.logged_in(user)
        text = browser.get(f"/api/changes/{change.id}/events").text
        assert text.count("data: ") == lines, user
        page = browser.get(f"/page/changes/{change.id}").text
        document = browser.get(f"/api/changes/{change.id}").text
        for told in (text, page, document):
            assert "too slow" in told
            assert ("secret of n" in told) is (user == "edits"), user


def test_nobody_puts_others_out_by_logging_in_again_and_again() -> None:
    sessions = Sessions(lambda: 0.0)
    other, _ = sessions.begin(User("kim", "admin"))
    first, *more = [sessions.begin(User("eve", "viewer"))[0] for _ in range(1100)]
    assert sessions.of(other) is not None
    assert sessions.of(first) is None
    assert sessions.of(more[-1]) is not None


def test_markup_of_a_host_is_none_in_a_dialog(serve: Serve) -> None:
    served = changing(serve, {"h": "h100"}, hosts={"h": [{"model": "q", "gpus": [0]}]})
    browser, host = served.by_link(), served.site.hosts["h"]
    served.site.run("status")
    host.document = json.loads(host.observe(b"", host.last_request))
    shown = ""
    for key, hostile in each_text(json.loads(json.dumps(host.document))):
        host.raw = json.dumps(hostile).encode()
        served.context.changed()
        answer = post(browser, "/page/deploy", host="h", model="q")
        assert answer.status_code == 200, key
        assert not re.search(r"<img src=x|=\"[^\"]*<img|\x1b", answer.text), key
        shown += answer.text
    assert "&lt;img src=x" in shown


@pytest.mark.parametrize("path", ["//evil.example", "/login/..//evil.example", "/login%0d%0aX: y"])
def test_a_language_leads_to_no_other_site(serve: Serve, path: str) -> None:
    answer = serve().browser().get(f"{ADDRESS}{path}?language=ko")
    assert "location" not in answer.headers or answer.headers["location"] in ("/", "/login")
    assert "x" not in answer.headers
