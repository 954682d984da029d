"""`serve` as it is started, a real engine, and a change that a process of its own applies."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from http.cookiejar import CookieJar
from typing import Any

import pytest

from tests.lab.site import Site
from tests.ports import free_port
from tests.process.conftest import HERE

PORT = free_port()
ADDRESS = f"http://127.0.0.1:{PORT}"


class Browser:
    """With the cookie of the link that was printed."""

    def __init__(self, link: str) -> None:
        jar = urllib.request.HTTPCookieProcessor(CookieJar())
        self._opener = urllib.request.build_opener(jar)
        self._csrf = ""
        with suppress(urllib.error.HTTPError):  # of the page that it leads to
            self._opener.open(link, timeout=30)
        self._csrf = self.ask("/api/session")["csrf"]

    def ask(self, path: str, **body: Any) -> Any:
        return json.loads(self.text(path, **body))

    def text(self, path: str, **body: Any) -> str:
        headers = {"Content-Type": "application/json", "X-CSRF-Token": self._csrf}
        sent = json.dumps(body).encode() if body else None
        request = urllib.request.Request(ADDRESS + path, sent, headers)
        with self._opener.open(request, timeout=120) as answer:
            read: bytes = answer.read()
            return read.decode()


@pytest.fixture
def browser(site: Site) -> Iterator[Browser]:
    assert site.run("apply", "-y").code == 0
    words = ("serve", str(site.manifest), "--changes=apply", f"--port={PORT}")
    process = subprocess.Popen(
        [sys.executable, "-m", "xgen_deploy", *words],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **site.env},
    )
    with process:
        try:
            said = process.stderr.readline() if process.stderr else ""
            link = re.search(r"http\S+", said)
            assert link is not None, said
            yield Browser(link[0])
        finally:
            process.terminate()


def _applied(browser: Browser, **asked: Any) -> tuple[Any, list[Any]]:
    """The change once it has ended, and what was told. It is asked for again where its plan no
    longer held: it rests on who listens on this machine, and other tests do."""
    for _ in range(5):
        change = browser.ask("/api/management/load", **asked)
        path = f"/api/changes/{change['id']}"
        with suppress(urllib.error.HTTPError):  # 409
            browser.ask(f"{path}/apply", fingerprint=change["fingerprint"], name=change["confirm"])
            told = browser.text(f"{path}/events").splitlines()
            lines = [json.loads(line[6:]) for line in told if line.startswith("data: ")]
            ended = browser.ask(path)
            if not any("no longer holds" in e["message"] for e in ended["errors"]):
                return ended, lines
    raise AssertionError("the plan never held")


def test_a_change_of_the_context_is_applied_by_its_own_process(
    site: Site, browser: Browser
) -> None:
    ended, lines = _applied(browser, model="tiny", host=HERE, n_ctx=512)
    assert lines[-1]["kind"] == "end"
    assert (ended["state"], ended["errors"]) == ("applied", [])
    assert "n_ctx: 512" in site.manifest.read_text()
    status = site.run_on(site.manifest, "status", "--json").json()
    assert [m["context_length"] for m in status["models"]] == [512]
    history = site.run_on(site.manifest, "history", "--json").json()
    assert "via serve" in json.dumps(history)
    planned = site.run_on(site.manifest, "plan", "--detailed-exitcode")
    assert planned.code == 0, planned.said
