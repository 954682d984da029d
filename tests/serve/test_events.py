"""`GET /api/events`: what changes, on every open page."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.apply.conftest import q
from tests.fake_host.reporter import sample
from tests.serve.conftest import Serve, Served, users
from tests.serve.credentials import TOKEN_HASH
from xgen_deploy.errors import XgenError
from xgen_deploy.serve.live import hub, stream
from xgen_deploy.serve.security.users import User

LIMITED = users(kim={"role": "admin"}, eve={"role": "viewer", "hosts": ["h"]})
Event = tuple[str, dict[str, Any]]


@pytest.fixture
def served(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> Served:
    monkeypatch.setattr(hub, "_EVERY", 0.1)
    monkeypatch.setattr(stream, "HEARTBEAT", 1.0)
    made = serve(
        {"h": "cpu", "n": "cpu"}, applied=True, hosts={"h": [q()], "n": [q()]}, serve=LIMITED
    )
    for host in made.site.hosts.values():
        host.reports.append(sample(1.0, q={"generated": 0.0, "waiting": 3.0}))
    return made


@contextmanager
def events(browser: TestClient) -> Iterator[Iterator[Event]]:
    with browser.stream("GET", "/api/events") as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield _events(answer.iter_lines())


def _events(lines: Iterator[str]) -> Iterator[Event]:
    name = ""
    for line in lines:
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield name, json.loads(line.removeprefix("data: "))


def first(stream: Iterator[Event], name: str, *, of: str = "") -> dict[str, Any]:
    """The next event of this name, of values that of a host."""
    return next(d for n, d in stream if n == name and (not of or of in d["hosts"]))


def test_a_page_gets_all_first_and_then_what_changes(served: Served) -> None:
    with events(served.logged_in("kim")) as told:
        state = first(told, "states")
        assert {(m["host"], m["status"]) for m in state["models"]} == {
            ("h", "running"),
            ("n", "running"),
        }
        values = first(told, "values", of="h")["hosts"]["h"]
        assert values["gpus"][0]["memory_used_mb"] == 10
        assert values["instances"]["q"]["waiting"] == 3.0
        served.site.hosts["h"].reports.append(sample(3.0, q={"generated": 50.0}))
        later = first(told, "values", of="h")["hosts"]["h"]
        assert later["instances"]["q"]["tokens_per_second"] == 25.0


def test_a_state_is_told_once_its_engine_falls_silent(served: Served) -> None:
    with events(served.logged_in("kim")) as told:
        first(told, "states")
        first(told, "values", of="h")
        served.site.hosts["h"].systemd.run(("systemctl", "stop", "xgen-p-q.service"))
        served.context.changed([])
        served.site.hosts["h"].reports.append(sample(3.0))
        states = {(m["host"], m["status"]) for m in first(told, "states")["models"]}
        assert ("h", "running") not in states
        assert ("n", "running") in states


def test_a_lost_host_is_told_with_its_reason(served: Served) -> None:
    with events(served.logged_in("kim")) as told:
        first(told, "values", of="n")
        served.site.hosts["n"].unreachable = "no route"
        lost = next(
            d["hosts"]["n"]
            for n, d in told
            if n == "values" and d["hosts"].get("n", {}).get("gone")
        )
        assert "no route" in lost["gone"]
        assert lost["gpus"] == []


def test_a_user_of_one_host_is_told_of_no_other(served: Served) -> None:
    with events(served.logged_in("eve")) as told:
        assert {m["host"] for m in first(told, "states")["models"]} == {"h"}
        assert list(first(told, "values")["hosts"]) == ["h"]


def test_two_pages_are_told_of_one_reporter_a_host(served: Served) -> None:
    browser = served.logged_in("kim")
    with events(browser) as one, events(browser) as other:
        here, there = (first(page, "values", of="h")["hosts"]["h"] for page in (one, other))
        assert here == there
        assert served.site.hosts["h"].reporters == 1


def test_pages_hear_that_the_manifest_changed(served: Served) -> None:
    with events(served.logged_in("kim")) as told:
        before = first(told, "states")
        served.site.change(lambda manifest: manifest["models"]["q"].update(n_ctx=4096))
        after, good = first(told, "states"), served.site.manifest
        assert after["manifest"] != before["manifest"]
        assert after["version"] > before["version"]
        (served.site.folder / "manifest.yaml").write_text("hosts: [")
        assert first(told, "states")["manifest"] is None
        served.site.change_to(good)
        assert first(told, "states")["manifest"] == after["manifest"]


def test_a_stream_ends_with_its_user(served: Served) -> None:
    with events(served.logged_in("kim")) as told:
        first(told, "values", of="h")
        served.site.change(lambda manifest: manifest["serve"]["users"].pop("kim"))
        assert first(told, "end") == {}
        assert list(told) == []


def test_the_last_hour_is_kept_over_a_change_of_the_manifest(served: Served) -> None:
    browser = served.logged_in("kim")
    with events(browser) as told:
        first(told, "values", of="h")
        served.site.change(lambda manifest: manifest["models"]["q"].update(n_ctx=4096))
        curves = browser.get("/api/hosts/h/last-hour").json()["curves"]
    assert curves["gpu/0/memory_used_mb"] == [10.0]
    assert served.logged_in("eve").get("/api/hosts/n/last-hour").status_code == 404


def test_a_script_follows_events_with_its_token(serve: Serve) -> None:
    served = serve(serve={"users": {"ci": {"role": "viewer", "token_hash": TOKEN_HASH}}})
    with events(served.script()) as told:
        assert first(told, "states")["models"][0]["status"] == "absent"


def test_nothing_goes_on_once_it_has_ended(serve: Serve) -> None:
    served = serve({"h": "cpu"}, hosts={"h": [q()]})
    browser = served.by_link()
    with events(browser) as told:
        first(told, "states")
        browser.app.state.hub.close()  # type: ignore[attr-defined]
        served.context.close()
    assert not [t for t in threading.enumerate() if "Hub._work" in repr(t)]
    with pytest.raises(XgenError, match="ending"), served.context.run():
        pass


def test_what_is_posted_while_a_stream_tells_is_not_lost(served: Served) -> None:
    board = hub.Hub(served.context)
    with served.context.observations() as observations:
        board.state = hub.State(1, observations.run.site, observations.now())
    view = stream._View(board, User("kim", "admin"))
    board.post(hub.Posted("change", '{"id":1}', lambda _: True))
    told = []
    for text in view.news():
        told.append(text)
        if '"id":1' in text:
            board.post(hub.Posted("change", '{"id":2}', lambda _: True))
    told += view.news()
    assert [t for t in told if "event: change" in t and '"id":2' in t]
