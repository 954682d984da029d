"""Whatever a host says is data in every answer: no markup, nothing that a terminal obeys."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.fake_host.host import LAYOUT, FakeHost
from tests.fake_host.reporter import sample
from tests.hostile.values import paths, with_value
from tests.serve.conftest import Serve, Served, routes

MARKUP = "<img src=x onerror=alert(1)>'\"--></script>\x1b[2J\u202e"
_OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069]")
_ENDLESS = {"/api/events", "/login/link"}


@pytest.fixture
def served(serve: Serve) -> Served:
    """One host with an instance, whose probe answers what a test sets."""
    made = serve({"h": "h100"}, applied=True, hosts={"h": [{"model": "q", "gpus": [0]}]})
    made.site.run("status")
    host = made.site.hosts["h"]
    host.document = json.loads(host.observe(b"", host.last_request))
    return made


def pages() -> list[str]:
    """Every path that can be asked for as it is."""
    gets = [route.path for route in routes() if "GET" in (route.methods or ())]
    return [path for path in gets if "{" not in path and path not in _ENDLESS]


def check(served: Served, browser: TestClient, said_of: str) -> None:
    served.context.changed()
    for path in [*pages(), "/api/hosts/h/last-hour", "/api/instances/h/q/logs"]:
        answer = browser.get(path)
        where = f"{said_of}, {path}"
        assert answer.status_code < 500 or answer.status_code in (502, 503), (where, answer.text)
        assert not _OBEYED.search(answer.text), where
        assert "<img src=x" not in answer.text or answer.headers["content-type"].startswith(
            "text/plain"
        ), where


def each_text(document: Any) -> Iterator[tuple[str, Any]]:
    """Copies in which one text is markup."""
    for path in paths(document):
        if isinstance(_at(document, path), str):
            yield ".".join(map(str, path)), with_value(document, path, MARKUP)


def _at(document: Any, path: tuple[str | int, ...]) -> Any:
    for step in path:
        document = document[step]
    return document


def test_what_a_probe_says(served: Served) -> None:
    browser, host = served.by_link(), served.site.hosts["h"]
    told = ""
    for key, hostile in each_text(json.loads(json.dumps(host.document))):
        host.raw = json.dumps(hostile).encode()
        check(served, browser, key)
        told += browser.get("/api/management/gpus").text
    assert "\\u003cimg src=x" in told


def _record(host: FakeHost) -> tuple[Any, Callable[[str], None]]:
    return json.loads(host.document["record"]), lambda text: host.document.update(record=text)


def _history(host: FakeHost) -> tuple[Any, Callable[[str], None]]:
    path = f"{LAYOUT.history}/1.json"
    return json.loads(host.files[path]), lambda text: host.put(path, text.encode(), 0o600)


@pytest.mark.parametrize("source", [_record, _history])
def test_what_a_host_remembers(
    served: Served, source: Callable[[FakeHost], tuple[Any, Callable[[str], None]]]
) -> None:
    browser = served.by_link()
    document, put = source(served.site.hosts["h"])
    for key, hostile in each_text(document):
        put(json.dumps(hostile))
        check(served, browser, key)


def test_what_a_reporter_and_a_log_say(served: Served) -> None:
    host = served.site.hosts["h"]
    host.reports.append(sample(1.0, **{MARKUP: {"waiting": 1.0}}))
    host.before = lambda argv, _: MARKUP if argv[0] == "journalctl" else None
    browser = served.by_link()
    with browser.stream("GET", "/api/events") as answer:
        for line in answer.iter_lines():
            assert "<" not in line
            assert not _OBEYED.search(line)
            if line.startswith("data:") and "waiting" in line:
                break
    check(served, browser, "log")
